//! Schedules of reading, waiting, acknowledgements out of order and rebalances, with the ledger at the other end.

use std::collections::{BTreeMap, BTreeSet};

use events::{Body, Event, Registration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use rdkafka::message::OwnedMessage;

use super::*;
use crate::ingest::dead_letters::DeadLetter;
use crate::ingest::ledger::{Committable, Ledger, Offset, Partition, Receipt};
use crate::ingest::record::Reason;

const LIMITS: Limits = Limits {
    records: 2_500,
    bytes: 400_000,
    delay: Duration::from_millis(100),
    in_flight: 2,
};
const MAX_DELAY: Duration = Duration::from_secs(1);
/// Enough that they wait for no others.
const MANY: usize = 2_000;
/// As many as a batch may have.
const FULL: usize = 2_500;
/// More than any record of a schedule adds to a batch.
const LARGEST: usize = 10_000;

/// The partition and the offset of a record.
type Position = (i32, i64);

/// Rows that remember which records they are of.
#[derive(Debug, Default)]
struct Positions {
    positions: Vec<Position>,
    bytes: usize,
}

impl Rows for Positions {
    fn append(&mut self, event: &Event<'_>) {
        let (partition, offset) = event.id.split_once('/').unwrap();
        self.positions
            .push((partition.parse().unwrap(), offset.parse().unwrap()));
        self.bytes += event.org.len();
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }
}

/// What may happen next. Numbers pick among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// Records of a partition come, as far as they are read.
    Come {
        partition: i32,
        records: usize,
        bytes: usize,
    },
    /// Time passes.
    Pass { millis: u64 },
    /// A batch that is on its way arrives, and its offsets are settled.
    Arrive { batch: usize },
    /// A partition is revoked in good order, or lost.
    Leave { partition: i32, lost: bool },
    /// A partition is assigned, from what is committed on.
    Assign { partition: i32 },
    /// Frontiers are committed.
    Commit,
}

/// Of ten records one is skipped and one is rejected, however often they are read.
const fn is_skipped(offset: i64) -> bool {
    offset % 10 == 3
}

const fn is_rejected(offset: i64) -> bool {
    offset % 10 == 7
}

fn step() -> impl Strategy<Value = Step> {
    let partition = 0..3_i32;
    prop_oneof![
        8 => (partition.clone(), 1..900_usize, 1..8_000_usize)
            .prop_map(|(partition, records, bytes)| Step::Come { partition, records, bytes }),
        6 => (1..400_u64).prop_map(|millis| Step::Pass { millis }),
        6 => any::<usize>().prop_map(|batch| Step::Arrive { batch }),
        1 => (partition.clone(), any::<bool>()).prop_map(|(partition, lost)| Step::Leave { partition, lost }),
        3 => partition.prop_map(|partition| Step::Assign { partition }),
        2 => Just(Step::Commit),
    ]
}

/// Small records of the first partition come.
const fn come(records: usize) -> Step {
    Step::Come {
        partition: 0,
        records,
        bytes: 1,
    }
}

/// The loop around the batcher, as it goes through a schedule.
struct World {
    now: Instant,
    batcher: Batcher<Positions>,
    ledger: Ledger,
    /// Each with when it was closed.
    under_way: Vec<(Instant, Batch<Positions>)>,
    closed_at: Option<Instant>,
    /// Where each assigned partition is read next.
    positions: BTreeMap<i32, i64>,
    committed: BTreeMap<i32, i64>,
    /// How often each record was read and not skipped, less how often it arrived.
    owed: BTreeMap<Position, i64>,
    /// What arrived, ever.
    arrived: BTreeSet<Position>,
}

impl World {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            batcher: Batcher::new(LIMITS, Positions::default()),
            ledger: Ledger::default(),
            under_way: Vec::new(),
            closed_at: None,
            positions: BTreeMap::new(),
            committed: BTreeMap::new(),
            owed: BTreeMap::new(),
            arrived: BTreeSet::new(),
        }
    }

    /// One that a partition is assigned in.
    fn assigned() -> Self {
        let mut world = Self::new();
        world.step(&Step::Assign { partition: 0 });
        world
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Come {
                partition,
                records,
                bytes,
            } => {
                for _ in 0..records {
                    if self.batcher.is_full() || !self.positions.contains_key(&partition) {
                        break;
                    }
                    self.read(partition, bytes);
                    self.batcher.set_caught_up(false);
                    self.apply_backpressure();
                }
            }
            Step::Pass { millis } => self.pass(Duration::from_millis(millis)),
            Step::Arrive { batch } if !self.under_way.is_empty() => {
                let batch = self.under_way.remove(batch % self.under_way.len());
                self.arrive(batch);
            }
            Step::Arrive { .. } => {}
            Step::Leave { partition, lost } => {
                self.positions.remove(&partition);
                if lost {
                    self.ledger.lose(Partition(partition));
                } else if let Some(last) = self.ledger.revoke(Partition(partition)) {
                    self.committed(last);
                }
            }
            Step::Assign { partition } => {
                let committed = self.committed.get(&partition).copied();
                self.positions.insert(partition, committed.unwrap_or(0));
                self.ledger.assign(Partition(partition), committed.map(Offset));
            }
            Step::Commit => self.commit(),
        }
        self.apply_backpressure();
    }

    fn read(&mut self, partition: i32, bytes: usize) {
        let position = self.positions.get_mut(&partition).unwrap();
        let offset = *position;
        *position += 1;
        let (span, _) = self.ledger.read(Partition(partition), Offset(offset)).unwrap();
        let batch = self.batcher.open();
        if is_skipped(offset) {
            return batch.skip(span, "other");
        }
        *self.owed.entry((partition, offset)).or_default() += 1;
        if is_rejected(offset) {
            batch.reject(span, letter(partition, offset, bytes));
        } else {
            batch.keep(span, &event(&"x".repeat(bytes), &format!("{partition}/{offset}")));
        }
    }

    /// Time passes, and whatever becomes due meanwhile is closed when it does.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        if !duration.is_zero() {
            self.batcher.set_caught_up(true);
        }
        while let Some(due) = self.batcher.due().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.close();
        }
        self.now = until;
    }

    /// What the loop does after each turn.
    fn apply_backpressure(&mut self) {
        self.batcher.touch(self.now);
        if self.batcher.is_full() && self.batcher.has_room() {
            self.close();
        }
        self.pass(Duration::ZERO);
    }

    fn close(&mut self) {
        let (full, few) = (
            self.batcher.is_full(),
            self.batcher.open().tally.records() < SMALL_BATCH,
        );
        if let Some(before) = self.closed_at.filter(|_| few && !full) {
            assert!(
                self.now >= before + (self.batcher.write_time * PAUSE_FACTOR).min(MAX_DELAY),
                "few records made a batch of their own soon after the one before"
            );
        }
        let batch = self.batcher.close(self.now, Positions::default());
        assert!(batch.tally.records() > 0, "an empty batch");
        assert!(batch.tally.records() <= LIMITS.records);
        assert!(batch.bytes() < LIMITS.bytes + LARGEST, "{} bytes", batch.bytes());
        self.closed_at = Some(self.now);
        self.under_way.push((self.now, batch));
        assert!(self.under_way.len() <= LIMITS.in_flight);
    }

    /// The sink and the dead-letter topic acknowledge a batch.
    fn arrive(&mut self, (closed_at, batch): (Instant, Batch<Positions>)) {
        let letters = batch.dead_letters.iter().map(DeadLetter::origin);
        for position in batch.rows.positions.iter().copied().chain(letters) {
            *self.owed.get_mut(&position).unwrap() -= 1;
            self.arrived.insert(position);
        }
        let offsets = batch.spans.offset_ranges().into_iter();
        let read: i64 = offsets.map(|(_, range)| range.end - range.start).sum();
        assert_eq!(u64::try_from(read).unwrap(), batch.tally.records());
        self.ledger.settle(Receipt::forged(batch.spans));
        self.batcher.arrived();
        self.batcher.note_write_time(self.now - closed_at);
    }

    fn commit(&mut self) {
        let taken = self.ledger.committable();
        for committable in &taken {
            self.committed(*committable);
        }
        self.ledger.committed(&taken);
    }

    fn committed(&mut self, committable: Committable) {
        let (partition, end) = (committable.partition().0, committable.offset().0);
        for offset in (0..end).filter(|offset| !is_skipped(*offset)) {
            assert!(
                self.arrived.contains(&(partition, offset)),
                "{partition}/{offset} is committed and has not arrived"
            );
        }
        self.committed.insert(partition, end);
    }

    /// Whatever is open is closed, and everything arrives, the latest first.
    fn drain(&mut self) {
        while let Some(batch) = self.under_way.pop() {
            self.arrive(batch);
        }
        if !self.batcher.is_empty() {
            let batch = self.batcher.close(self.now, Positions::default());
            self.arrive((self.now, batch));
        }
        self.commit();
    }
}

fn event<'a>(org: &'a str, id: &'a str) -> Event<'a> {
    let time = Timestamp::from_millis(0);
    Event {
        org: org.into(),
        id: id.into(),
        time,
        body: Body::Registration(Registration {
            user_id: "user".into(),
            registered_at: time,
        }),
    }
}

fn letter(partition: i32, offset: i64, bytes: usize) -> DeadLetter {
    let value = Some(vec![b'{'; bytes]);
    let record = OwnedMessage::new(
        value,
        None,
        "topic".to_owned(),
        rdkafka::Timestamp::NotAvailable,
        partition,
        offset,
        None,
    );
    DeadLetter::new(record, &Reason::HeaderName)
}

/// One in which a batch has taken this long to be written.
fn after_a_batch_of(time: Duration) -> World {
    let mut world = World::assigned();
    // What a batch takes is averaged with what those before it took.
    for _ in 0..20 {
        world.batch_takes(time);
    }
    world
}

impl World {
    fn batch_takes(&mut self, time: Duration) {
        self.step(&come(FULL));
        self.now += time;
        self.step(&Step::Arrive { batch: 0 });
    }
}

/// Averages are a little below what they approach.
fn rounded_millis(time: Duration) -> u128 {
    (time + Duration::from_micros(500)).as_millis()
}

#[test]
fn a_lone_record_after_a_pause_does_not_wait_for_others() {
    let mut world = World::assigned();
    world.step(&come(1));
    world.pass(LIMITS.delay);
    assert_eq!(world.under_way.len(), 1, "it goes when it is old enough");
}

#[test]
fn a_trickle_waits_for_twice_as_long_as_a_batch_takes() {
    // From when the one before was closed: until this one is old enough; as long as is fair; as long as is bearable.
    for (takes, waits) in [(10, 110), (150, 300), (700, 1_000), (3_000, 3_100)] {
        let mut world = after_a_batch_of(Duration::from_millis(takes));
        world.step(&come(1));
        world.batcher.set_caught_up(true);
        let waited = world.batcher.due().unwrap() - world.closed_at.unwrap();
        assert_eq!(rounded_millis(waited), waits, "{takes} ms");
        world.step(&come(MANY));
        world.batcher.set_caught_up(true);
        let due = world.now + LIMITS.delay;
        assert_eq!(world.batcher.due(), Some(due), "many records wait for no others");
    }
}

#[test]
fn a_batch_that_an_outage_held_up_soon_has_no_effect_on_others() {
    let mut world = after_a_batch_of(Duration::from_millis(10));
    for takes in [60_000, 10, 10] {
        world.batch_takes(Duration::from_millis(takes));
    }
    world.step(&come(1));
    assert_eq!(world.batcher.due().unwrap() - world.now, MAX_DELAY);
}

#[test]
fn a_backlog_makes_batches_as_large_as_writing_takes() {
    for (takes, grows) in [(10, 1_000), (300, 1_500), (9_000, 5_000)] {
        let mut world = after_a_batch_of(Duration::from_millis(takes));
        world.step(&come(1));
        let grown = world.batcher.due().unwrap() - world.now;
        assert_eq!(rounded_millis(grown), grows, "{takes} ms");
    }
}

#[test]
fn a_batch_grows_while_records_keep_coming() {
    let mut world = World::assigned();
    // Something is there to be read at every moment.
    for _ in 0..120 {
        world.now += LIMITS.delay / 20;
        world.step(&come(1));
    }
    assert_eq!(world.under_way.len(), 0, "it is six delays old");
    world.pass(LIMITS.delay / 20);
    assert_eq!(world.under_way.len(), 1, "nothing more came");
}

#[test]
fn a_batch_that_grows_is_ten_delays_old_at_most() {
    let mut world = World::assigned();
    for _ in 0..140 {
        world.step(&come(1));
        world.now += LIMITS.delay / 10;
    }
    assert_eq!(world.under_way.len(), 1);
    assert_eq!(world.under_way[0].1.tally.records(), 101);
}

#[test]
fn a_batch_waits_for_the_one_before_it_ten_delays_at_most() {
    let many = come(MANY);
    let mut world = World::assigned();
    world.step(&many);
    world.pass(LIMITS.delay);
    assert_eq!(world.under_way.len(), 1, "the first has none before it");
    world.step(&many);
    world.pass(LIMITS.delay * 5);
    assert_eq!(world.under_way.len(), 1, "the first is being written");
    world.step(&Step::Arrive { batch: 0 });
    assert_eq!(world.under_way.len(), 1, "the second went as the first arrived");
    world.step(&many);
    world.pass(MAX_DELAY);
    assert_eq!(world.under_way.len(), 2, "the third does not wait without end");
}

#[test]
fn no_batch_is_closed_while_there_is_no_room() {
    let mut world = World::assigned();
    for _ in 0..4 {
        world.step(&come(FULL));
    }
    world.pass(Duration::from_secs(3_600));
    assert_eq!(world.under_way.len(), 2);
    assert!(world.batcher.is_full());
    world.step(&Step::Arrive { batch: 1 });
    assert_eq!(world.under_way.len(), 2, "the one that waited is on its way");
    assert!(world.batcher.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn batches_keep_their_limits_and_lose_nothing(steps in vec(step(), 1..100)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            let due = world.batcher.due();
            prop_assert!(due.is_none_or(|due| due > world.now), "a batch that is due is still open");
        }
        world.drain();
        let owed: Vec<_> = world.owed.iter().filter(|(_, owed)| **owed != 0).collect();
        prop_assert!(owed.is_empty(), "read and never written, or written and not read: {owed:?}");
        for (partition, position) in &world.positions {
            let committed = world.committed.get(partition).copied().unwrap_or(0);
            prop_assert_eq!(committed, *position, "partition {}", partition);
        }
    }
}
