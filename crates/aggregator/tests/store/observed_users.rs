//! Counts of users in periods that have ended, as they were observed: exact at every moment.

use std::sync::{Mutex, mpsc::sync_channel};

use aggregator::{Batch, Error, LastLook, OBSERVED_USERS_TABLE, SealedBatch, Settings, Store};
use events::{Body, DateRange, Event, Grain, NewUsersBy, Timestamp};
use futures::future::try_join;
use oracle::Oracle;
use tokio::{sync::oneshot, task::JoinSet};
use uuid::Uuid;

use crate::harness::{Database, client, message, registration, run};

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

fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

fn ranges() -> [DateRange; 2] {
    [
        range("2024-02-20", "2024-03-20"),
        range("2024-02-28", "2024-03-05"),
    ]
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
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
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
    let since = match random.below(3) {
        // Late.
        0 => START - 5 * DAY,
        _ => clock - HOUR / 2,
    };
    for _ in 0..=random.below(8) {
        let user = random.below(30);
        let back = random.between(since, clock);
        events.push(match random.below(4) {
            0 => registered(user, back),
            _ => said(user, back, random.below(3)),
        });
    }
    events
}

/// Inserts, observes, and compares every answer with the oracle's, in an order that the seed makes.
pub(crate) async fn interleave(store: &Store, seed: u64, steps: u64) {
    let (mut oracle, mut random) = (Oracle::default(), Random(seed));
    let mut clock = START;
    let mut slow: Option<SlowInsert> = None;
    // Of inserts that died: they come again.
    let mut dead: Vec<Event<'static>> = Vec::new();
    let mut published: Vec<Event<'static>> = Vec::new();
    for step in 0..steps {
        match random.below(3) {
            0 => clock += random.between(0, 8 * HOUR),
            1 => clock = (clock / HOUR + 1) * HOUR + random.between(-90_000, 90_000),
            _ => clock += random.between(0, 20_000),
        }
        // Clocks differ by twice the margin at most.
        let skewed = at(clock + random.between(0, 120_000));
        match random.below(8) {
            0..2 => drop(store.observe_users(skewed).await.unwrap()),
            2 => {
                let events = next_events(&mut random, clock);
                learn(&mut oracle, &events);
                let batch = sealed(&events);
                try_join(
                    async { store.observe_users(skewed).await.map(drop) },
                    store.insert(&batch, || at(clock)),
                )
                .await
                .unwrap();
            }
            3 if slow.is_none() => {
                let events = next_events(&mut random, clock);
                learn(&mut oracle, &events);
                slow = Some(SlowInsert::start(store, &events).await);
                dead.extend(events);
            }
            3 | 4 => match slow.take() {
                Some(slow) if random.below(2) == 0 => slow.die().await,
                Some(slow) => slow.finish(clock).await,
                None => {}
            },
            // All registrations once more.
            5 => insert(store, &mut oracle, clock, &published).await,
            _ => {
                let events = next_events(&mut random, clock);
                insert(store, &mut oracle, clock, &events).await;
                published.extend(events.into_iter().filter(is_registration));
            }
        }
        if slow.is_none() && step % 3 == 2 {
            insert(store, &mut oracle, clock, &std::mem::take(&mut dead)).await;
            compare(store, &oracle, &format!("seed {seed}, step {step}")).await;
            assert_eq!(store.verify(OBSERVED_USERS_TABLE).await.unwrap(), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_are_counted_exactly_under_every_interleaving_of_inserts_and_observations() {
    for seed in 0..4 {
        let (_database, store) = observing(&format!("observed_users_{seed}")).await;
        interleave(&store, seed, 40).await;
    }
}

/// Three days of 40 users, who registered up to a day before their first message and later.
fn history() -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for number in 0..3 * 24 * 4_u64 {
        let time = START + i64::try_from(number).unwrap() * HOUR / 4;
        events.push(said(number % 40, time, number % 3));
        if number < 40 {
            events.push(registered(number, START - DAY + time % DAY * 4));
        }
    }
    events
}

#[tokio::test]
async fn what_is_observed_is_used_and_verified_and_a_rebuild_forgets_it() {
    let (database, store) = observing("users_used").await;
    let mut oracle = Oracle::default();
    let clock = START + 3 * DAY + HOUR / 2;
    insert(&store, &mut oracle, clock, &history()).await;
    compare(&store, &oracle, "from rows").await;
    // Three days by hours and by days, and what of the week and the month is over.
    assert_eq!(store.observe_users(at(clock)).await.unwrap(), 72 + 3 + 1 + 1);
    assert_eq!(
        store.observe_users(at(clock)).await.unwrap(),
        0,
        "all is observed"
    );
    compare(&store, &oracle, "observed").await;
    assert_eq!(store.verify(OBSERVED_USERS_TABLE).await.unwrap(), None);

    let change = "ALTER TABLE observed_users UPDATE users = users + 1000
        WHERE mentor_id = '' AND grain = 'day' AND period = '2024-02-27 00:00:00' SETTINGS mutations_sync = 1";
    run(&database, change).await;
    let days = range("2024-02-26", "2024-02-28");
    let counts = store.usage_summary("org", days, Grain::Day).await.unwrap();
    assert_eq!(
        counts[1],
        oracle.usage_summary("org", days, Grain::Day)[1] + 1_000
    );
    let drift = store.verify(OBSERVED_USERS_TABLE).await.unwrap().unwrap();
    assert_eq!((drift.missing, drift.unexpected), (1, 1), "{drift}");
    store.rebuild(OBSERVED_USERS_TABLE).await.unwrap();
    compare(&store, &oracle, "forgotten").await;
}

#[tokio::test]
async fn only_what_changes_the_past_has_it_counted_again() {
    let (database, store) = observing("users_entered").await;
    let mut oracle = Oracle::default();
    let clock = START + 3 * DAY + HOUR / 2;
    let history = history();
    insert(&store, &mut oracle, clock, &history).await;
    store.observe_users(at(clock)).await.unwrap();

    // All registrations again, as a nightly job publishes them.
    let registrations: Vec<_> = history
        .iter()
        .filter(|event| is_registration(event))
        .cloned()
        .collect();
    insert(&store, &mut oracle, clock, &registrations).await;
    assert_eq!(
        store.observe_users(at(clock)).await.unwrap(),
        0,
        "nothing has changed"
    );

    // Users who are new in this hour, and register seconds after their first message, or before.
    let now = START + 3 * DAY + HOUR / 4;
    let live = [
        said(100, now, 1),
        registered(100, now + 5_000),
        registered(101, now),
        said(101, now + 5_000, 1),
        said(3, now, 2),
    ];
    insert(&store, &mut oracle, clock, &live).await;
    assert_eq!(
        store.observe_users(at(clock)).await.unwrap(),
        0,
        "nothing has ended"
    );
    // When they come again the hour has ended.
    let later = clock + 2 * HOUR;
    assert_eq!(store.observe_users(at(later)).await.unwrap(), 2 + 1 + 1 + 1);
    let again: Vec<_> = live
        .iter()
        .filter(|event| is_registration(event))
        .cloned()
        .collect();
    insert(&store, &mut oracle, later, &again).await;
    assert_eq!(store.observe_users(at(later)).await.unwrap(), 0, "it was known");
    compare(&store, &oracle, "live").await;

    // One who registers now, and had a first message in the last hour of the second day.
    let first = said(102, START + 2 * DAY - 60_000, 1);
    insert(&store, &mut oracle, later, &[first]).await;
    store.observe_users(at(later)).await.unwrap();
    insert(&store, &mut oracle, later, &[registered(102, later)]).await;
    compare(&store, &oracle, "registered").await;
    assert_eq!(
        store.observe_users(at(later)).await.unwrap(),
        (1 + 24 + 2) + 2 + 1 + 1 + 1,
        "from that hour on"
    );
    compare(&store, &oracle, "observed").await;

    // An earlier registration of somebody is another.
    insert(&store, &mut oracle, later, &[registered(7, START + 60_000)]).await;
    compare(&store, &oracle, "earlier").await;
    assert_eq!(noted(&database).await, 40 + 3);
}

/// How many users have a registration that is noted as entered.
async fn noted(database: &Database) -> u64 {
    let query = "SELECT uniqExact(user) FROM entered_registrations";
    client(&database.settings).query(query).fetch_one().await.unwrap()
}

#[tokio::test]
async fn the_registrations_of_a_backlog_change_all_of_the_past() {
    const USERS: u64 = 1_001;
    let (database, store) = observing("users_backlog").await;
    let mut oracle = Oracle::default();
    let clock = START + 3 * DAY + HOUR / 2;
    let first: Vec<_> = (0..USERS).map(|user| said(user, START + HOUR, 1)).collect();
    insert(&store, &mut oracle, clock, &first).await;
    assert!(store.observe_users(at(clock)).await.unwrap() > 0);

    // They register after their first message: it is that which changes.
    let registered: Vec<_> = (0..USERS).map(|user| registered(user, START + 2 * DAY)).collect();
    let backlog = [&registered[..], &[said(1, START + 2 * DAY, 1)]].concat();
    insert(&store, &mut oracle, clock, &backlog).await;
    assert_eq!(noted(&database).await, 0);
    compare(&store, &oracle, "backlog").await;
    assert!(store.observe_users(at(clock)).await.unwrap() > 0);
    compare(&store, &oracle, "observed").await;

    // Alone, as a nightly job publishes them: the first time they may be new.
    insert(&store, &mut oracle, clock, &registered).await;
    assert_eq!(noted(&database).await, USERS);
    assert!(store.observe_users(at(clock)).await.unwrap() > 0);
    insert(&store, &mut oracle, clock, &registered).await;
    assert_eq!(
        store.observe_users(at(clock)).await.unwrap(),
        0,
        "nothing has changed"
    );
    compare(&store, &oracle, "again").await;
}

#[tokio::test]
async fn what_changes_from_look_to_look_is_observed_once_it_rests() {
    let (_database, store) = observing("users_at_rest").await;
    let mut oracle = Oracle::default();
    let clock = START + 3 * DAY + HOUR / 2;
    insert(&store, &mut oracle, clock, &history()).await;
    let mut last = LastLook::default();
    let mut look = async || store.observe(at(clock), &mut last).await.unwrap();
    assert_eq!(look().await, 0, "it may be changing");
    assert!(look().await > 0, "it is not");
    assert_eq!(look().await, 0);

    let late = said(5, START + 2 * DAY + 7 * HOUR, 1);
    insert(&store, &mut oracle, clock, &[late]).await;
    // The ten minutes of conversations by mentor and the hours by topic; the day, the week and the month of users.
    assert_eq!(
        look().await,
        (6 * 7 + 7) + 3,
        "what is before that hour of its day"
    );
    assert!(look().await > 0, "and the rest");
    assert_eq!(look().await, 0);
    compare(&store, &oracle, "at rest").await;
}

#[tokio::test]
async fn clocks_may_differ_by_twice_the_margin() {
    let (_database, store) = observing("users_clocks").await;
    let mut oracle = Oracle::default();
    let end = START + 74 * HOUR;
    insert(&store, &mut oracle, end - HOUR, &history()).await;
    // By the clock of one the hour ended a minute ago; by that of the other it ends in a minute.
    store.observe_users(at(end + 60_000)).await.unwrap();
    let last = [said(200, end - 70_000, 1), registered(201, end - 65_000)];
    insert(&store, &mut oracle, end - 60_000, &last).await;
    compare(&store, &oracle, "inserted").await;
}

#[tokio::test]
async fn who_registered_in_the_open_hour_is_found_without_reading_all_who_did_before() {
    const USERS: u64 = 100_000;
    let (database, store) = observing("users_known_at").await;
    let mut oracle = Oracle::default();
    let now = START + 3 * DAY + 5 * HOUR;
    let clock = now + HOUR / 2;
    let mut long_ago: Vec<_> = (0..USERS).map(|user| registered(user, START - 4 * DAY)).collect();
    long_ago.push(said(0, START - 3 * DAY, 1));
    insert(&store, &mut oracle, clock, &long_ago).await;
    assert!(store.observe_users(at(clock)).await.unwrap() > 0);
    let live = [
        registered(USERS, now),
        said(USERS + 1, now, 1),
        said(USERS + 2, now, 1),
        registered(USERS + 2, now + 5_000),
    ];
    insert(&store, &mut oracle, clock, &live).await;

    let limited = Store::new(&Settings {
        settings: [("max_rows_to_read".to_owned(), (USERS / 2).to_string())].into(),
        observe_from: 1,
        ..database.settings.clone()
    });
    let days = range("2024-02-23", "2024-02-29");
    let asked = |store: Store| async move {
        let (grain, by) = (Grain::Day, NewUsersBy::Registration);
        store.cohorts("org", days, grain, None, by).await
    };
    let expected = oracle.cohorts("org", days, Grain::Day, None, NewUsersBy::Registration);
    assert_eq!(expected.last().map(|day| day.new_users), Some(3));
    assert_eq!(asked(limited.clone()).await.unwrap(), expected);

    run(&database, "ALTER TABLE users DROP INDEX known_at").await;
    let error = format!("{:?}", asked(limited).await.unwrap_err());
    assert!(error.contains("TOO_MANY_ROWS"), "{error}");
    assert_eq!(asked(store).await.unwrap(), expected);
}
