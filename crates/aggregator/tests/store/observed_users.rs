//! Counts of users in periods that have ended, as they were observed: exact at every moment.

use std::sync::{Mutex, mpsc::sync_channel};

use aggregator::{Batch, Error, OBSERVED_USERS_TABLE, SealedBatch, Settings, Store};
use events::{Body, DateRange, Event, Grain, NewUsersBy, Timestamp};
use oracle::Oracle;
use tokio::{sync::oneshot, task::JoinSet};
use uuid::Uuid;

use crate::harness::{Database, message, registration};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2024-02-26, a Monday; the month ends on the Thursday.
const START: i64 = 1_708_905_600_000;

/// A store that observes small organisations, too.
async fn observing(name: &str) -> (Database, Store) {
    let database = Database::migrated(name).await;
    let store = Store::new(&Settings {
        observe_from: 1,
        ..database.settings.clone()
    });
    (database, store)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A message of a user at an instant.
fn said(user: u64, time: i64, mentor: u64) -> Event<'static> {
    let mut event = message("org", 1, 1);
    event.time = at(time);
    if let Body::Message(message) = &mut event.body {
        message.message_id = Uuid::from_u128(u128::from(time.unsigned_abs()) << 32 | u128::from(user));
        message.user_id = Some(format!("user-{user}").into());
        message.mentor_id = (mentor > 0).then(|| format!("mentor-{mentor}").into());
    }
    event
}

/// The registration of a user at an instant.
fn registered(user: u64, time: i64) -> Event<'static> {
    let mut event = registration("org", 1);
    event.time = at(time);
    if let Body::Registration(registration) = &mut event.body {
        registration.user_id = format!("user-{user}").into();
        registration.registered_at = at(time);
    }
    event
}

fn sealed(events: &[Event<'static>]) -> SealedBatch {
    let mut batch = Batch::new();
    for event in events {
        batch.append(event);
    }
    batch.seal()
}

fn learn(oracle: &mut Oracle, events: &[Event<'static>]) {
    for event in events {
        oracle.add(event);
    }
}

fn is_registration(event: &Event<'_>) -> bool {
    matches!(event.body, Body::Registration(_))
}

/// Inserts events at an instant, and adds them to the oracle.
async fn insert(store: &Store, oracle: &mut Oracle, clock: i64, events: &[Event<'static>]) {
    learn(oracle, events);
    store.insert(&sealed(events), || at(clock)).await.unwrap();
}

/// An insert whose rows are all there, and which has not entered what it changed.
struct SlowInsert {
    running: JoinSet<Result<(), Error>>,
    clock: std::sync::mpsc::SyncSender<Option<i64>>,
}

impl SlowInsert {
    async fn start(store: &Store, events: &[Event<'static>]) -> Self {
        let (store, batch) = (store.clone(), sealed(events));
        let (reached, until_reached) = oneshot::channel();
        let (clock, clock_told) = sync_channel::<Option<i64>>(1);
        let told = Mutex::new((Some(reached), clock_told));
        let mut running = JoinSet::new();
        running.spawn(async move {
            // The clock is read once all is acknowledged.
            let read = move || {
                let mut told = told.lock().unwrap();
                told.0.take().unwrap().send(()).unwrap();
                at(told.1.recv().unwrap().expect("it dies"))
            };
            store.insert(&batch, read).await
        });
        until_reached.await.unwrap();
        Self { running, clock }
    }

    async fn finish(mut self, clock: i64) {
        self.clock.send(Some(clock)).unwrap();
        self.running.join_next().await.unwrap().unwrap().unwrap();
    }

    async fn die(mut self) {
        self.clock.send(None).unwrap();
        assert!(self.running.join_next().await.unwrap().is_err());
    }
}

fn ranges() -> [DateRange; 3] {
    let range = |start: &str, end: &str| DateRange::new(start.parse().unwrap(), end.parse().unwrap());
    [
        range("2024-02-20", "2024-03-20"),
        range("2024-02-28", "2024-03-05"),
        range("2024-03-01", "2024-03-01"),
    ]
    .map(Option::unwrap)
}

/// Asks every kind of question, and compares the answers with the oracle's.
async fn compare(store: &Store, oracle: &Oracle, label: &str) {
    for range in ranges() {
        for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
            assert_eq!(
                store.usage_summary("org", range, grain).await.unwrap(),
                oracle.usage_summary("org", range, grain),
                "{label}: {range:?} by {grain:?}"
            );
            for mentor in [None, Some("mentor-1")] {
                for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
                    assert_eq!(
                        store.cohorts("org", range, grain, mentor, by).await.unwrap(),
                        oracle.cohorts("org", range, grain, mentor, by),
                        "{label}: {range:?} by {grain:?}, {mentor:?}, {by:?}"
                    );
                }
            }
        }
    }
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn between(&mut self, start: i64, end: i64) -> i64 {
        let length = u64::try_from((end - start).max(1)).unwrap();
        start + i64::try_from(self.below(length)).unwrap()
    }
}

/// What happens next.
fn next_events(random: &mut Random, clock: i64) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for _ in 0..=random.below(8) {
        let user = random.below(30);
        let back = match random.below(4) {
            // Late.
            0 => random.between(START - 5 * DAY, clock),
            _ => random.between(clock - HOUR / 2, clock),
        };
        events.push(match random.below(4) {
            0 => registered(user, back),
            _ => said(user, back, random.below(3)),
        });
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_are_counted_exactly_under_every_interleaving_of_inserts_and_observations() {
    for seed in 0..4 {
        let (_database, store) = observing(&format!("observed_users_{seed}")).await;
        let (mut oracle, mut random) = (Oracle::default(), Random(seed));
        let mut clock = START;
        let mut slow: Option<SlowInsert> = None;
        // Of inserts that died: they come again.
        let mut dead: Vec<Event<'static>> = Vec::new();
        let mut published: Vec<Event<'static>> = Vec::new();
        for step in 0..48_u64 {
            clock += random.between(0, 6 * HOUR);
            match random.below(8) {
                0..3 => drop(store.observe_users(at(clock)).await.unwrap()),
                3 if slow.is_none() => {
                    let events = next_events(&mut random, clock);
                    learn(&mut oracle, &events);
                    slow = Some(SlowInsert::start(&store, &events).await);
                    dead.extend(events);
                }
                3 | 4 => match slow.take() {
                    Some(slow) if random.below(2) == 0 => slow.die().await,
                    Some(slow) => slow.finish(clock).await,
                    None => {}
                },
                // All registrations once more.
                5 => insert(&store, &mut oracle, clock, &published).await,
                _ => {
                    let events = next_events(&mut random, clock);
                    insert(&store, &mut oracle, clock, &events).await;
                    published.extend(events.into_iter().filter(is_registration));
                }
            }
            if slow.is_none() && step % 3 == 2 {
                insert(&store, &mut oracle, clock, &std::mem::take(&mut dead)).await;
                compare(&store, &oracle, &format!("seed {seed}, step {step}")).await;
                assert_eq!(store.verify(OBSERVED_USERS_TABLE).await.unwrap(), None);
            }
        }
    }
}
