//! How the one memory budget is shared out.

use crate::Settings;

/// What each part may hold, in bytes. The parts together stay within the budget, because each is bounded by itself: no
/// account is kept while records flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The bytes of records fetched ahead, in librdkafka's queue: a sixteenth of the budget.
    pub(crate) prefetched: usize,
    /// How many records are fetched ahead: what librdkafka keeps of each beside its bytes takes another sixteenth.
    pub(crate) prefetched_records: usize,
    /// One answer of a broker, which the queue may overshoot by. It comes compressed, and may unpack to ten times as
    /// much and more: a sixty-fourth.
    pub(crate) answer: usize,
    /// Dead letters in the producer's queue: a sixteenth.
    pub(crate) dead_letters: usize,
    /// One batch. Those that are written, which are there twice while they are sealed, and the open one share five eighths
    /// of the budget.
    pub(crate) batch: usize,
}

/// About what librdkafka keeps of a record beside its bytes.
const RECORD_OVERHEAD: usize = 512;

impl Budget {
    pub(crate) fn of(settings: &Settings) -> Self {
        let whole = settings.budget_bytes;
        let batches = 2 * usize::from(settings.batches_in_flight.get()) + 1;
        Self {
            prefetched: whole / 16,
            prefetched_records: whole / 16 / RECORD_OVERHEAD,
            answer: whole / 64,
            dead_letters: whole / 16,
            batch: settings.batch_bytes.get().min(whole / 8 * 5 / batches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_stay_within_the_whole() {
        for (budget_bytes, in_flight) in [(16 << 20, 1), (16 << 20, 64), (256 << 20, 3), (1 << 30, 2)] {
            let settings = Settings {
                budget_bytes,
                batches_in_flight: std::num::NonZeroU16::new(in_flight).unwrap(),
                ..Settings::default()
            };
            let budget = Budget::of(&settings);
            let batches = budget.batch * (2 * usize::from(in_flight) + 1);
            let prefetched = budget.prefetched + budget.prefetched_records * RECORD_OVERHEAD;
            let sum = prefetched + 10 * budget.answer + budget.dead_letters + batches;
            assert!(sum <= budget_bytes, "{budget:?} sums to {sum} of {budget_bytes}");
        }
    }

    #[test]
    fn a_small_budget_closes_batches_earlier() {
        let settings = Settings {
            budget_bytes: 16 << 20,
            ..Settings::default()
        };
        assert_eq!(Budget::of(&settings).batch, (16 << 20) / 8);
        assert_eq!(Budget::of(&Settings::default()).batch, 32 << 20);
    }
}
