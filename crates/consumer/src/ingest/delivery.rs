//! From a closed batch to its receipt.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use events::Timestamp;
use metrics::histogram;
use tokio::time::Instant;

use crate::error::Stop;
use crate::ingest::batch::{Batch, Tally};
use crate::ingest::ledger::Receipt;
use crate::ingest::rows::RowWriter;
use crate::metric;
use crate::sink::Sink;

/// A batch whose rows and dead letters are acknowledged.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) receipt: Receipt,
    pub(crate) tally: Tally,
    pub(crate) bytes: usize,
    /// See [`Batch::oldest`].
    pub(crate) oldest: Option<Timestamp>,
    /// How long the sink takes for rows, lately.
    pub(crate) write_time: Duration,
}

/// Writes batches, several at once.
pub(crate) struct BatchWriter<S: Sink>(pub(crate) RowWriter<S>);

impl<S: Sink> BatchWriter<S> {
    /// Closes the rows of a batch, and returns what writes them and its dead letters.
    pub(crate) fn deliver(
        self: Arc<Self>,
        batch: Batch<S::Rows>,
    ) -> impl Future<Output = Result<Delivered, Stop>> + Send {
        let closed_at = Instant::now();
        let bytes = batch.bytes();
        let Batch {
            rows,
            kinds,
            dead_letters,
            mut spans,
            unreadable,
            mut tally,
            oldest,
            ..
        } = batch;
        let rows = self.0.seal(rows, kinds);
        async move {
            let Self(writer) = &*self;
            let offsets = spans.offset_ranges();
            let (rows, dead_letters) = tokio::try_join!(
                writer.write(rows, &offsets, tally.records() - tally.unreadable, &dead_letters),
                writer.dead_letters.write(&dead_letters),
            )?;
            tally.refuse(rows.refused());
            spans.append(unreadable);
            histogram!(metric::DELIVERY_DURATION).record(closed_at.elapsed());
            Ok(Delivered {
                receipt: spans.settle(rows, dead_letters),
                tally,
                bytes,
                oldest,
                write_time: writer.write_time(),
            })
        }
    }
}
