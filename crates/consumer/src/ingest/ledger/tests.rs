//! Schedules of reading, receipts and rebalances, against what is true.

mod last_record;

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const P: Partition = Partition(0);

/// A ledger with the partition assigned.
fn assigned(committed: Option<i64>) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.assign(P, committed.map(Offset));
    ledger
}

/// Reads these offsets into one batch.
fn read<const N: usize>(ledger: &mut Ledger, offsets: [i64; N]) -> Spans {
    let mut spans = Spans::default();
    for offset in offsets {
        spans.add(ledger.read(P, Offset(offset)).unwrap().0);
    }
    spans
}

fn jump_between(from: i64, to: i64) -> Jump {
    let (from, to) = (Offset(from), Offset(to));
    Jump { from, to }
}

fn frontier(ledger: &Ledger) -> Option<i64> {
    ledger
        .frontiers()
        .find(|(partition, _)| *partition == P)
        .and_then(|(_, offset)| Some(offset?.0))
}

fn committable(ledger: &mut Ledger) -> Option<i64> {
    ledger
        .committable()
        .first()
        .map(|committable| committable.offset().0)
}

#[test]
fn a_gap_in_receipts_holds_the_frontier() {
    let mut ledger = assigned(Some(10));
    let [first, second, third] = [10, 11, 12].map(|offset| read(&mut ledger, [offset]));
    ledger.settle(Receipt(third));
    ledger.settle(Receipt(second));
    assert_eq!(committable(&mut ledger), None);
    ledger.settle(Receipt(first));
    assert_eq!(committable(&mut ledger), Some(13));
}

#[test]
fn what_is_committed_is_not_committed_again() {
    let mut ledger = assigned(Some(0));
    let spans = read(&mut ledger, [0]);
    ledger.settle(Receipt(spans));
    assert_eq!(committable(&mut ledger), Some(1));
    assert_eq!(committable(&mut ledger), Some(1), "until the broker has said so");
    let taken = ledger.committable();
    ledger.committed(&taken);
    assert_eq!(committable(&mut ledger), None);
}

#[test]
fn a_gap_in_the_log_is_reported_and_settled_with_the_record_behind_it() {
    let mut ledger = assigned(Some(5));
    let (span, jump) = ledger.read(P, Offset(8)).unwrap();
    assert_eq!(jump, Some(jump_between(5, 8)));
    ledger.settle(Receipt(Spans(vec![span])));
    assert_eq!(committable(&mut ledger), Some(9));
}

#[test]
fn a_marker_is_settled_once_the_records_before_it_are() {
    let mut ledger = assigned(Some(0));
    let spans = read(&mut ledger, [0, 1]);
    assert_eq!(ledger.pass(P, Offset(2)), None, "no more than the records");
    assert_eq!(ledger.pass(P, Offset(3)), Some(jump_between(2, 3)));
    assert_eq!(ledger.pass(P, Offset(3)), None, "it is passed once");
    assert_eq!(committable(&mut ledger), None);
    ledger.settle(Receipt(spans));
    assert_eq!(committable(&mut ledger), Some(3));
    let (next, jump) = ledger.read(P, Offset(3)).unwrap();
    assert_eq!(jump, None);
    ledger.settle(Receipt(Spans(vec![next])));
    assert_eq!(committable(&mut ledger), Some(4));
}

#[test]
fn a_marker_behind_what_is_settled_is_settled_at_once() {
    let mut ledger = assigned(Some(5));
    assert_eq!(ledger.pass(P, Offset(9)), Some(jump_between(5, 9)));
    assert_eq!(committable(&mut ledger), Some(9));
}

#[test]
fn a_log_of_markers_alone_is_settled() {
    let mut ledger = assigned(None);
    assert_eq!(
        ledger.pass(P, Offset(3)),
        None,
        "it is not known where reading began"
    );
    assert_eq!((frontier(&ledger), committable(&mut ledger)), (Some(3), Some(3)));
}

#[test]
fn a_position_before_what_was_read_says_nothing() {
    let mut ledger = assigned(Some(0));
    let spans = read(&mut ledger, [0, 1, 2]);
    assert_eq!(ledger.pass(P, Offset(1)), None);
    assert_eq!(
        ledger.pass(Partition(1), Offset(1)),
        None,
        "nor one of another partition"
    );
    ledger.settle(Receipt(spans));
    assert_eq!(committable(&mut ledger), Some(3));
}

#[test]
fn a_group_without_a_committed_offset_begins_where_the_log_does() {
    let mut ledger = assigned(None);
    let (span, jump) = ledger.read(P, Offset(700)).unwrap();
    assert_eq!(jump, None);
    assert_eq!(committable(&mut ledger), None);
    ledger.settle(Receipt(Spans(vec![span])));
    assert_eq!(committable(&mut ledger), Some(701));
}

#[test]
fn a_log_that_begins_again_is_read_and_settled_from_there() {
    let mut ledger = assigned(Some(100));
    let before = read(&mut ledger, [100]);
    let (again, jump) = ledger.read(P, Offset(0)).unwrap();
    assert_eq!(jump, Some(jump_between(101, 0)));
    ledger.settle(Receipt(before));
    assert_eq!(frontier(&ledger), Some(0), "the receipt is of the log that was");
    ledger.settle(Receipt(Spans(vec![again])));
    assert_eq!(committable(&mut ledger), Some(1));
}

#[test]
fn going_back_within_what_is_not_settled_holds_the_frontier() {
    let mut ledger = assigned(Some(0));
    let [first, _second] = [0, 1].map(|offset| read(&mut ledger, [offset]));
    let again = read(&mut ledger, [1]);
    ledger.settle(Receipt(again));
    assert_eq!(committable(&mut ledger), None);
    ledger.settle(Receipt(first));
    assert_eq!(committable(&mut ledger), Some(2));
}

#[test]
fn a_receipt_for_records_that_were_replaced_is_void() {
    let mut ledger = assigned(Some(0));
    let replaced = read(&mut ledger, [0, 1]);
    let again = read(&mut ledger, [1]);
    ledger.settle(Receipt(replaced));
    assert_eq!(committable(&mut ledger), Some(1));
    ledger.settle(Receipt(again));
    assert_eq!(committable(&mut ledger), Some(2));
}

#[test]
fn settled_records_that_were_replaced_are_not_settled_any_more() {
    let mut ledger = assigned(Some(0));
    let first = read(&mut ledger, [0]);
    let ahead = read(&mut ledger, [1, 2]);
    ledger.settle(Receipt(ahead));
    let again = read(&mut ledger, [2]);
    ledger.settle(Receipt(first));
    assert_eq!(committable(&mut ledger), Some(2));
    ledger.settle(Receipt(again));
    assert_eq!(committable(&mut ledger), Some(3));
}

#[test]
fn a_commit_without_an_answer_leaves_in_doubt_what_is_committed() {
    let mut ledger = assigned(Some(1));
    let again = read(&mut ledger, [0]);
    assert_eq!(committable(&mut ledger), Some(0), "the answer to this is lost");
    ledger.settle(Receipt(again));
    assert_eq!(committable(&mut ledger), Some(1));
}

#[test]
fn a_receipt_of_an_earlier_assignment_is_void() {
    let mut ledger = assigned(Some(0));
    let early = read(&mut ledger, [0]);
    assert_eq!(ledger.revoke(P), None);
    ledger.settle(Receipt(early.clone()));
    ledger.assign(P, Some(Offset(0)));
    ledger.settle(Receipt(early));
    assert_eq!(committable(&mut ledger), None);
    let late = read(&mut ledger, [0]);
    ledger.settle(Receipt(late));
    assert_eq!(committable(&mut ledger), Some(1));
}

#[test]
fn revoked_commits_what_is_settled_and_lost_commits_nothing() {
    for lost in [false, true] {
        let mut ledger = assigned(Some(0));
        let settled = read(&mut ledger, [0]);
        let _open = read(&mut ledger, [1]);
        ledger.settle(Receipt(settled));
        if lost {
            ledger.lose(P);
        } else {
            let committable = ledger.revoke(P).unwrap();
            assert_eq!(committable.offset(), Offset(1));
        }
        assert_eq!(committable(&mut ledger), None);
    }
}

#[test]
fn a_record_of_a_partition_that_is_not_assigned_has_no_span() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.read(P, Offset(0)), None);
    ledger.assign(P, None);
    ledger.lose(P);
    assert_eq!(ledger.read(P, Offset(0)), None);
    assert_eq!(ledger.arrive(P, Fingerprint::at(0)), Arrival::Unassigned);
}

#[test]
fn spans_of_interleaved_partitions_grow_in_place() {
    let mut ledger = Ledger::default();
    let other = Partition(7);
    ledger.assign(P, Some(Offset(0)));
    ledger.assign(other, Some(Offset(0)));
    let mut spans = Spans::default();
    for offset in 0..1000 {
        spans.add(ledger.read(P, Offset(offset)).unwrap().0);
        spans.add(ledger.read(other, Offset(offset)).unwrap().0);
    }
    assert_eq!(spans.0.len(), 2);
}

/// What may happen next. Numbers pick among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// Records of a partition are read into the open batch.
    Read { partition: i32, records: usize },
    /// Offsets without a record are passed.
    Pass { partition: i32 },
    /// The open batch is closed.
    Close,
    /// A closed batch is acknowledged; it may be again.
    Settle { batch: usize, again: bool },
    /// A partition is revoked in good order.
    Revoke { partition: i32 },
    /// A partition is lost.
    Lose { partition: i32 },
    /// A partition is assigned, again perhaps.
    Assign { partition: i32 },
    /// Frontiers are committed; the answer may not arrive.
    Commit { answered: bool },
    /// The log is cut short, so that reading goes back.
    Rewind { partition: i32 },
}

fn step() -> impl Strategy<Value = Step> {
    let partition = 0..3_i32;
    prop_oneof![
        6 => (partition.clone(), 1..5_usize).prop_map(|(partition, records)| Step::Read { partition, records }),
        3 => partition.clone().prop_map(|partition| Step::Pass { partition }),
        4 => Just(Step::Close),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(batch, again)| Step::Settle { batch, again }),
        1 => partition.clone().prop_map(|partition| Step::Revoke { partition }),
        1 => partition.clone().prop_map(|partition| Step::Lose { partition }),
        2 => partition.clone().prop_map(|partition| Step::Assign { partition }),
        2 => any::<bool>().prop_map(|answered| Step::Commit { answered }),
        1 => partition.prop_map(|partition| Step::Rewind { partition }),
    ]
}

/// The broker, the sink, and what is true of every offset.
#[derive(Default)]
struct World {
    ledger: Ledger,
    /// What the broker holds as committed, and the last record before it.
    committed: BTreeMap<i32, (i64, Option<Fingerprint>)>,
    /// Where each assigned partition is read next.
    positions: BTreeMap<i32, i64>,
    open: (Spans, Vec<(i32, i64)>),
    closed: Vec<(Spans, Vec<(i32, i64)>)>,
    /// What the sink has acknowledged, ever.
    settled: BTreeSet<(i32, i64)>,
    /// Whether reading was to go back, perhaps with nothing read since.
    rewound: bool,
}

/// Offsets that the log does not hold.
fn is_missing(offset: i64) -> bool {
    offset % 7 == 3
}

impl World {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Read { partition, records } => {
                for _ in 0..records {
                    self.read(partition);
                }
            }
            Step::Pass { partition } => {
                if let Some(position) = self.positions.get_mut(&partition) {
                    while is_missing(*position) {
                        *position += 1;
                    }
                    self.ledger.pass(Partition(partition), Offset(*position));
                }
            }
            Step::Close => self.closed.push(std::mem::take(&mut self.open)),
            Step::Settle { batch, again } if !self.closed.is_empty() => {
                let index = batch % self.closed.len();
                let (spans, records) = if again {
                    self.closed[index].clone()
                } else {
                    self.closed.remove(index)
                };
                self.settled.extend(records);
                self.ledger.settle(Receipt(spans));
            }
            Step::Settle { .. } => {}
            Step::Revoke { partition } => {
                if let Some(committable) = self.ledger.revoke(Partition(partition)) {
                    self.commit(committable, true);
                }
                self.positions.remove(&partition);
            }
            Step::Lose { partition } => {
                self.ledger.lose(Partition(partition));
                self.positions.remove(&partition);
            }
            Step::Assign { partition } => {
                let commit = self.committed.get(&partition).copied();
                let (committed, last) = commit.unzip();
                self.ledger.assign(Partition(partition), committed.map(Offset));
                if let Some(last) = last.flatten() {
                    self.ledger.confirm(Partition(partition), last);
                    assert_eq!(self.ledger.arrive(Partition(partition), last), Arrival::Settled);
                }
                self.positions.insert(partition, committed.unwrap_or(0));
            }
            Step::Commit { answered } => {
                for committable in self.ledger.committable() {
                    self.commit(committable, answered);
                }
            }
            Step::Rewind { partition } => {
                if let Some(position) = self.positions.get_mut(&partition) {
                    *position /= 2;
                    self.rewound = true;
                }
            }
        }
    }

    fn read(&mut self, partition: i32) {
        let Some(position) = self.positions.get_mut(&partition) else {
            let arrival = self.ledger.arrive(Partition(partition), Fingerprint::at(0));
            assert_eq!(arrival, Arrival::Unassigned);
            return;
        };
        while is_missing(*position) {
            *position += 1;
        }
        let record = Fingerprint::at(*position);
        let Arrival::Next(span, _) = self.ledger.arrive(Partition(partition), record) else {
            panic!("{position} of partition {partition} is the next record");
        };
        self.open.0.add(span);
        self.open.1.push((partition, *position));
        *position += 1;
    }

    fn commit(&mut self, committable: Committable, answered: bool) {
        let (Partition(partition), Offset(offset)) = (committable.partition(), committable.offset());
        for before in (0..offset).filter(|before| !is_missing(*before)) {
            assert!(
                self.settled.contains(&(partition, before)),
                "partition {partition}: {offset} is committed, {before} is not settled"
            );
        }
        let last = (0..offset).rfind(|before| !is_missing(*before));
        let named = committable.last().map(|named| named.offset);
        assert!(
            named == last || (self.rewound && named.is_none()),
            "partition {partition}: {named:?} is named as the last record before {offset}"
        );
        self.committed.insert(partition, (offset, committable.last()));
        if answered {
            self.ledger.committed(&[committable]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_committed_that_is_not_settled(steps in vec(step(), 1..120)) {
        let mut world = World::default();
        for step in &steps {
            world.step(step);
        }
    }

    #[test]
    fn once_all_is_settled_all_that_was_read_is_committed(steps in vec(step(), 1..120)) {
        let mut world = World::default();
        for step in &steps {
            world.step(step);
        }
        world.step(&Step::Close);
        for (spans, records) in std::mem::take(&mut world.closed).into_iter().rev() {
            world.settled.extend(records);
            world.ledger.settle(Receipt(spans));
        }
        world.step(&Step::Commit { answered: true });
        prop_assert!(world.ledger.committable().is_empty());
        for (partition, position) in &world.positions {
            let account = &world.ledger.accounts[&Partition(*partition)];
            let expected = account.expected;
            prop_assert_eq!(account.frontier, expected);
            let committed = world.committed.get(partition).map(|(offset, _)| Offset(*offset));
            prop_assert!(committed == expected || (world.rewound && committed.is_none()));
            prop_assert!(expected.is_none_or(|expected| world.rewound || expected == Offset(*position)));
        }
    }
}
