//! Offsets without a record, and which of them were lost. No I/O, no clock.
//!
//! Markers of transactions, aborted records and compaction leave offsets at which there is nothing to read. Only
//! those below the offset at which the log starts held records that retention took.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::ingest::ledger::{Jump, Offset, Partition};

/// The gaps that reading met, by partition, until it is known where their logs start.
#[derive(Debug, Default)]
pub(crate) struct Gaps(BTreeMap<Partition, Gap>);

/// The gaps of a partition, kept as one: transactions leave one each. What was lost is counted exactly unless the log
/// starts within a later gap than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The first offset.
    pub(crate) from: Offset,
    /// The offset behind the last.
    pub(crate) to: Offset,
    /// How many offsets have no record.
    pub(crate) offsets: u64,
}

impl Gaps {
    /// Adds the offsets that a jump forward has passed.
    pub(crate) fn add(&mut self, partition: Partition, jump: Jump) {
        if let Ok(offsets @ 1..) = u64::try_from(jump.to.0 - jump.from.0) {
            let Jump { from, to } = jump;
            self.put(partition, Gap { from, to, offsets });
        }
    }

    /// Adds all of others.
    pub(crate) fn extend(&mut self, others: Self) {
        for (partition, gap) in others.0 {
            self.put(partition, gap);
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The partitions that have one.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = Partition> {
        self.0.keys().copied()
    }

    /// Takes what a partition has, whose log starts at an offset. Returns what was lost, if anything.
    pub(crate) fn take_lost(&mut self, partition: Partition, start: Offset) -> Option<Gap> {
        let Gap { from, to, offsets } = self.0.remove(&partition)?;
        let below = u64::try_from(start.0 - from.0).unwrap_or(0);
        let offsets = offsets.min(below);
        let to = to.min(start);
        (offsets > 0).then_some(Gap { from, to, offsets })
    }

    fn put(&mut self, partition: Partition, gap: Gap) {
        match self.0.entry(partition) {
            Entry::Vacant(entry) => {
                entry.insert(gap);
            }
            Entry::Occupied(mut entry) => {
                let all = entry.get_mut();
                all.from = all.from.min(gap.from);
                all.to = all.to.max(gap.to);
                all.offsets += gap.offsets;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0);

    fn gaps(jumps: &[(i64, i64)]) -> Gaps {
        let mut gaps = Gaps::default();
        for (from, to) in jumps {
            let (from, to) = (Offset(*from), Offset(*to));
            gaps.add(P, Jump { from, to });
        }
        gaps
    }

    /// How many offsets were lost where the log starts at an offset.
    fn lost(jumps: &[(i64, i64)], start: i64) -> u64 {
        let mut gaps = gaps(jumps);
        let lost = gaps.take_lost(P, Offset(start));
        assert!(gaps.is_empty(), "each is taken once");
        lost.map_or(0, |lost| lost.offsets)
    }

    #[test]
    fn only_what_lies_below_the_start_of_the_log_was_lost() {
        assert_eq!(lost(&[(10, 11)], 0), 0, "a marker");
        assert_eq!(lost(&[(10, 11), (14, 15), (18, 22)], 10), 0, "several");
        assert_eq!(lost(&[(10, 25)], 25), 15, "retention");
        assert_eq!(lost(&[(10, 26)], 25), 15, "retention, with a marker behind it");
        assert_eq!(lost(&[(10, 25), (30, 31)], 25), 15, "a marker later");
        assert_eq!(lost(&[(10, 25), (30, 60)], 60), 45, "retention, twice");
        assert_eq!(lost(&[(25, 10)], 60), 0, "back");
    }

    #[test]
    fn what_was_lost_is_named() {
        let (from, to) = (Offset(10), Offset(25));
        let lost = gaps(&[(10, 26), (30, 31)]).take_lost(P, to);
        assert_eq!(
            lost,
            Some(Gap {
                from,
                to,
                offsets: 15
            })
        );
        assert_eq!(gaps(&[(10, 26)]).take_lost(Partition(1), to), None);
    }

    #[test]
    fn gaps_that_wait_for_an_answer_are_joined_with_those_since() {
        let mut since = gaps(&[(30, 31)]);
        since.extend(gaps(&[(10, 26)]));
        let lost = since.take_lost(P, Offset(25));
        assert_eq!(lost.map(|lost| lost.offsets), Some(15));
    }
}
