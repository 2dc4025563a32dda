//! One batch, from the open hand to its receipt.

use std::sync::Arc;

use metrics::{counter, histogram};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::batch::{Batch, Tally};
use crate::dead_letters::DeadLetters;
use crate::error::chain;
use crate::sink::{Rows, Sink, SinkError};
use crate::source::SharedLedger;
use crate::{Error, metric};

/// The proof that the sink has acknowledged all rows of a batch.
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

/// Takes batches to where they go.
pub(crate) struct Courier<S> {
    pub(crate) sink: Arc<S>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) ledger: SharedLedger,
    /// Cancelled when the run is ending: an attempt that fails after that is the last.
    pub(crate) halt: CancellationToken,
}

impl<S> Clone for Courier<S> {
    fn clone(&self) -> Self {
        Self {
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
            tally,
            ..
        } = batch;
        let (written, buried) = tokio::try_join!(
            self.insert(rows, tally.records()),
            self.dead_letters.bury(&dead_letters, &self.halt),
        )?;
        self.ledger.lock().settle(spans.settle(written, buried));
        histogram!(metric::DELIVERY_DURATION).record(closed_at.elapsed());
        Ok(Delivered { tally, bytes })
    }

    async fn insert(&self, rows: S::Rows, records: u64) -> Result<Written, Halt> {
        if rows.is_empty() {
            return Ok(Written(()));
        }
        let rows = self.sink.seal(rows);
        let mut backoff = Backoff::new();
        loop {
            let started_at = Instant::now();
            let attempt = self.sink.write(&rows).await;
            histogram!(metric::INSERT_DURATION).record(started_at.elapsed());
            let source = match attempt {
                Ok(()) => {
                    if backoff.attempt() > 0 {
                        info!(records, "the sink takes batches again");
                    }
                    return Ok(Written(()));
                }
                Err(SinkError::Refused(source)) => {
                    return Err(Halt::Ended(Error::Refused { records, source }));
                }
                Err(SinkError::Unavailable(source)) => source,
            };
            let wait = backoff.next();
            counter!(metric::RETRIES, "what" => "insert").increment(1);
            warn!(
                records,
                attempt = backoff.attempt(),
                ?wait,
                "a batch is not written: {}",
                chain(&*source)
            );
            if self
                .halt
                .run_until_cancelled(tokio::time::sleep(wait))
                .await
                .is_none()
            {
                return Err(Halt::Abandoned);
            }
        }
    }
}
