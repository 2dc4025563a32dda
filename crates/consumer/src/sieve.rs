//! Which records of a batch the sink refuses.

use std::collections::HashSet;
use std::mem;

use events::Timestamp;
use rdkafka::message::{Message, OwnedMessage};
use tracing::warn;

use crate::budget::Budget;
use crate::dead_letters::DeadLetter;
use crate::delivery::{Courier, Halt, Inserted};
use crate::ledger::Spans;
use crate::record::{Outcome, Reason, outcome, size};
use crate::refetch::Refetch;
use crate::sink::{Rows, Sink};

/// All records of a batch were judged when they came; none is called too early now.
const LATEST: Timestamp = Timestamp::from_millis(i64::MAX);

/// What is read again at once takes this share of what the rows of the batch took, which are gone by then: bytes,
/// rows and what surrounds them fit into the rest.
const SHARE: usize = 8;

/// Halves the records of a refused batch until those at fault are alone. Their bytes are not kept while a batch is
/// on its way, so they are read from the topic again, a handful at a time.
pub(crate) struct Sieve<'a, S> {
    courier: &'a Courier<S>,
    /// Where the records lie that are rejected already.
    rejected: HashSet<(i32, i64)>,
    handful_bytes: usize,
}

impl<'a, S: Sink> Sieve<'a, S> {
    pub(crate) fn new(courier: &'a Courier<S>, rejected: &[DeadLetter]) -> Self {
        Self {
            courier,
            rejected: rejected.iter().map(DeadLetter::origin).collect(),
            handful_bytes: Budget::of(&courier.settings).batch / SHARE,
        }
    }

    /// Has the sink take whatever it takes of the spans, and buries the rest. How many records are buried.
    pub(crate) async fn sift(&self, spans: &Spans) -> Result<u64, Halt> {
        let mut refetch = Refetch::new(self.courier).map_err(Halt::Ended)?;
        let mut refused = 0;
        let (mut handful, mut bytes) = (Vec::new(), 0);
        for span in spans.iter() {
            refetch.seek(span).map_err(Halt::Ended)?;
            while let Some(record) = refetch.next().await? {
                if self.rejected.contains(&(record.partition(), record.offset())) {
                    continue;
                }
                bytes += size(&record).unwrap_or(0) + size_of::<OwnedMessage>();
                handful.push(record);
                if bytes >= self.handful_bytes {
                    refused += self.halve(&mem::take(&mut handful)).await?;
                    bytes = 0;
                }
            }
        }
        Ok(refused + self.halve(&handful).await?)
    }

    /// Has the sink take as many of the records as it takes, and buries the others, each alone.
    async fn halve(&self, records: &[OwnedMessage]) -> Result<u64, Halt> {
        let mut refused = 0;
        let mut at_fault = Vec::new();
        if let Inserted::Refused(refusal) = self.attempt(records).await? {
            at_fault.push((records, refusal));
        }
        while let Some((part, refusal)) = at_fault.pop() {
            if let [record] = part {
                self.bury(record, refusal).await?;
                refused += 1;
                continue;
            }
            let (first, second) = part.split_at(part.len() / 2);
            let of_first = self.attempt(first).await?;
            let of_second = match of_first {
                // What is at fault is in the other half, then. No record is buried that was not refused alone.
                Inserted::Taken if second.len() > 1 => Inserted::Refused(refusal),
                _ => self.attempt(second).await?,
            };
            for (half, inserted) in [(second, of_second), (first, of_first)] {
                if let Inserted::Refused(refusal) = inserted {
                    at_fault.push((half, refusal));
                }
            }
        }
        Ok(refused)
    }

    /// Has the sink take the records, or tell why not.
    async fn attempt(&self, records: &[OwnedMessage]) -> Result<Inserted, Halt> {
        self.courier.insert(self.rows(records)).await
    }

    /// Buries a record that was refused alone.
    async fn bury(&self, record: &OwnedMessage, refusal: String) -> Result<(), Halt> {
        warn!(
            partition = record.partition(),
            offset = record.offset(),
            "a record is refused: {refusal}"
        );
        let letter = DeadLetter::of_owned(record, &Reason::Refused(refusal));
        self.courier
            .dead_letters
            .bury(&[letter], &self.courier.halt)
            .await
            .map(drop)
    }

    /// The rows of the records that are events.
    fn rows(&self, records: &[OwnedMessage]) -> S::Rows {
        let mut rows = self.courier.sink.rows();
        let limit = self.courier.settings.max_record_bytes.get();
        for record in records {
            if let Outcome::Kept(event) = outcome(record, limit, LATEST) {
                rows.append(&event);
            }
        }
        rows
    }
}
