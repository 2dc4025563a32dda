//! One batch, from the open hand to its receipt.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::batch::{Batch, Tally};
use crate::dead_letters::{DeadLetter, DeadLetters};
use crate::error::chain;
use crate::ledger::Spans;
use crate::sieve::Sieve;
use crate::sink::{Rows, Sink, SinkError};
use crate::source::SharedLedger;
use crate::{Error, Settings, metric};

/// The proof that the sink has acknowledged all rows of a batch, or that the records of the others are buried.
#[derive(Debug)]
pub(crate) struct Written(());

/// Why a batch was not delivered.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The run is ending, and what is not settled is read again by the next one.
    Abandoned,
    /// The run cannot go on.
    Ended(Error),
}

/// A batch that is settled.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) tally: Tally,
    pub(crate) bytes: usize,
}

/// What became of rows.
#[derive(Debug)]
pub(crate) enum Inserted {
    /// They are acknowledged.
    Taken,
    /// At least one of them will never be; the sink says why.
    Refused(String),
}

/// What became of the rows of a batch.
struct Kept {
    written: Written,
    /// How many records the sink refused, whose dead letters are acknowledged.
    refused: u64,
}

/// Takes batches to where they go.
pub(crate) struct Courier<S> {
    pub(crate) settings: Arc<Settings>,
    pub(crate) sink: Arc<S>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) ledger: SharedLedger,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    pub(crate) halt: CancellationToken,
}

impl<S> Clone for Courier<S> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            sink: Arc::clone(&self.sink),
            dead_letters: self.dead_letters.clone(),
            ledger: self.ledger.clone(),
            halt: self.halt.clone(),
        }
    }
}

impl<S: Sink> Courier<S> {
    /// Writes the rows and the dead letters of a batch, and settles its offsets once both are acknowledged.
    pub(crate) async fn deliver(self, batch: Batch<S::Rows>) -> Result<Delivered, Halt> {
        let closed_at = Instant::now();
        let bytes = batch.bytes();
        let Batch {
            rows,
            dead_letters,
            spans,
            mut tally,
            ..
        } = batch;
        let (kept, buried) = tokio::try_join!(
            self.keep(rows, &spans, &dead_letters),
            self.dead_letters.bury(&dead_letters, &self.halt),
        )?;
        tally.refuse(kept.refused);
        self.ledger.lock().settle(spans.settle(kept.written, buried));
        histogram!(metric::DELIVERY_DURATION).record(closed_at.elapsed());
        Ok(Delivered { tally, bytes })
    }

    /// Writes rows; where they are refused, finds the records at fault.
    async fn keep(&self, rows: S::Rows, spans: &Spans, rejected: &[DeadLetter]) -> Result<Kept, Halt> {
        let refusal = match self.insert(rows).await? {
            Inserted::Taken => {
                return Ok(Kept {
                    written: Written(()),
                    refused: 0,
                });
            }
            Inserted::Refused(refusal) => refusal,
        };
        warn!("a batch is refused: its records are read again to find those at fault: {refusal}");
        let refused = Sieve::new(self, rejected).sift(spans).await?;
        info!(refused, "the rest of the batch is kept");
        Ok(Kept {
            written: Written(()),
            refused,
        })
    }

    /// Writes rows, however long it takes, unless they are refused or the run is ending.
    pub(crate) async fn insert(&self, rows: S::Rows) -> Result<Inserted, Halt> {
        if rows.is_empty() {
            return Ok(Inserted::Taken);
        }
        let bytes = rows.bytes();
        let sink = Arc::clone(&self.sink);
        // That of a large batch takes long enough to keep a worker of the runtime from what else is due.
        let rows = spawn_blocking(move || sink.seal(rows))
            .await
            .map_err(|died| Halt::Ended(Error::Died(died)))?;
        let mut backoff = Backoff::new();
        loop {
            let started_at = Instant::now();
            let attempt = self.sink.write(&rows).await;
            histogram!(metric::INSERT_DURATION).record(started_at.elapsed());
            let source = match attempt {
                Ok(()) => {
                    if backoff.attempt() > 0 {
                        info!(bytes, "the sink takes batches again");
                    }
                    return Ok(Inserted::Taken);
                }
                Err(SinkError::Refused(source)) => return Ok(Inserted::Refused(chain(&*source))),
                Err(SinkError::Unavailable(source)) => source,
            };
            let wait = backoff.next();
            counter!(metric::RETRIES, "what" => "insert").increment(1);
            warn!(
                bytes,
                attempt = backoff.attempt(),
                ?wait,
                "a batch is not written: {}",
                chain(&*source)
            );
            self.pause(wait).await?;
        }
    }

    /// Waits before another attempt, unless the run is ending.
    pub(crate) async fn pause(&self, wait: Duration) -> Result<(), Halt> {
        let waited = self.halt.run_until_cancelled(tokio::time::sleep(wait)).await;
        waited.ok_or(Halt::Abandoned)
    }
}
