//! From a closed batch to its receipt.

use std::sync::Arc;

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
}

/// Writes batches, several at once.
pub(crate) struct BatchWriter<S: Sink>(pub(crate) RowWriter<S>);

impl<S: Sink> BatchWriter<S> {
    /// Writes the rows and the dead letters of a batch.
    pub(crate) async fn deliver(self: Arc<Self>, batch: Batch<S::Rows>) -> Result<Delivered, Stop> {
        let Self(writer) = &*self;
        let closed_at = Instant::now();
        let bytes = batch.bytes();
        let Batch {
            rows,
            kinds,
            dead_letters,
            mut spans,
            unreadable,
            mut tally,
            ..
        } = batch;
        let offsets = spans.offset_ranges();
        let (rows, dead_letters) = tokio::try_join!(
            writer.write(
                (rows, kinds),
                &offsets,
                tally.records() - tally.unreadable,
                &dead_letters
            ),
            writer.dead_letters.write(&dead_letters),
        )?;
        tally.refuse(rows.refused());
        spans.append(unreadable);
        histogram!(metric::DELIVERY_DURATION).record(closed_at.elapsed());
        Ok(Delivered {
            receipt: spans.settle(rows, dead_letters),
            tally,
            bytes,
        })
    }
}
