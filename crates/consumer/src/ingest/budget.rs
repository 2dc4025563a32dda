//! How the one memory budget is shared out.

use std::num::{NonZeroU16, NonZeroUsize};

/// What each part may hold, in bytes. The parts together stay within the budget, because each is bounded by itself: no
/// account is kept while records flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The bytes of records fetched ahead, in librdkafka's queue: a sixteenth of the budget.
    pub(crate) prefetched: usize,
    /// How many records are fetched ahead: what librdkafka keeps of each besides its bytes takes another sixteenth.
    pub(crate) prefetched_records: usize,
    /// One answer of a broker, which the queue may overshoot by: a 512th. It comes compressed, and may unpack to a hundred
    /// times as much. A larger batch comes whole, alone in its answer.
    pub(crate) answer: usize,
    /// Dead letters in the producer's queue: a sixteenth.
    pub(crate) dead_letters: usize,
    /// One batch. Those that are written, of which one may be there twice while it is sealed, and the open one share five
    /// eighths of the budget: none is read while one is sealed.
    pub(crate) batch: usize,
}

/// About what librdkafka keeps of a record besides its bytes.
const RECORD_OVERHEAD: usize = 512;

impl Budget {
    /// Shares out `whole`, with batches of at most `batch` bytes, of which `in_flight` are written at once.
    pub(crate) fn new(whole: usize, batch: NonZeroUsize, in_flight: NonZeroU16) -> Self {
        let batches = usize::from(in_flight.get()) + 1;
        Self {
            prefetched: whole / 16,
            prefetched_records: whole / 16 / RECORD_OVERHEAD,
            answer: whole / 512,
            dead_letters: whole / 16,
            batch: batch.get().min(whole / 8 * 5 / batches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(whole: usize, in_flight: u16) -> Budget {
        let batch = NonZeroUsize::new(32 << 20).unwrap();
        Budget::new(whole, batch, NonZeroU16::new(in_flight).unwrap())
    }

    #[test]
    fn the_parts_stay_within_the_whole() {
        for (whole, in_flight) in [(16 << 20, 1), (16 << 20, 64), (256 << 20, 3), (1 << 30, 2)] {
            let budget = budget(whole, in_flight);
            let batches = budget.batch * (usize::from(in_flight) + 1);
            let prefetched = budget.prefetched + budget.prefetched_records * RECORD_OVERHEAD;
            let sum = prefetched + 95 * budget.answer + budget.dead_letters + batches;
            assert!(sum <= whole, "{budget:?} sums to {sum} of {whole}");
        }
    }

    #[test]
    fn a_small_budget_closes_batches_earlier() {
        assert_eq!(budget(16 << 20, 2).batch, (16 << 20) / 8 * 5 / 3);
        assert_eq!(budget(256 << 20, 2).batch, 32 << 20);
    }
}
