//! Counts of periods that have ended, as they were observed: exact at every moment.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use aggregator::{Batch, OBSERVED_TABLE, SealedBatch, Settings, Store};
use events::{Body, Event, Timestamp, TranscriptFilter, folded_topic};
use oracle::Oracle;
use uuid::Uuid;

use crate::harness::{Database, annotation, client, message, page, run};

const HOUR: i64 = 3_600_000;
/// 2024-03-04, a Monday.
const START: i64 = 1_709_510_400_000;

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

/// The message of a conversation at an instant.
fn said(conversation: u64, time: i64, mentor: u64) -> Event<'static> {
    let mut event = message("org", i64::try_from(conversation).unwrap(), 1);
    event.time = at(time);
    if let Body::Message(message) = &mut event.body {
        message.message_id =
            Uuid::from_u128(u128::from(time.unsigned_abs()) << 32 | u128::from(conversation));
        message.mentor_id = (mentor > 0).then(|| format!("mentor-{mentor}").into());
        message.content = format!("said at {time}").into();
    }
    event
}

/// An annotation of a conversation, with one topic or none.
fn noted(conversation: u64, time: i64, topic: u64) -> Event<'static> {
    let mut event = annotation("org", i64::try_from(conversation).unwrap(), 1);
    event.time = at(time);
    event.id = format!("noted-{conversation}-{topic}").into();
    if let Body::Annotation(annotation) = &mut event.body {
        annotation.annotated_at = at(time);
        annotation.topics = (topic > 0)
            .then(|| format!("Topic {topic}").into())
            .into_iter()
            .collect();
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

/// Filters by mentor, by topics and by time.
fn filters() -> Vec<TranscriptFilter> {
    let mut filters = Vec::new();
    for (mentor, topics) in [
        (None, &[][..]),
        (Some("mentor-1"), &[]),
        (Some("mentor-2"), &[]),
        (None, &["topic 1"]),
        (None, &["topic 2"]),
        (None, &["topic 1", "topic 2"]),
        (Some("mentor-1"), &["topic 1"]),
    ] {
        for (start, end) in [
            (None, None),
            (Some("2024-03-05"), Some("2024-03-06")),
            (Some("2024-03-06"), None),
        ] {
            filters.push(TranscriptFilter {
                start: start.map(|day: &str| day.parse().unwrap()),
                end: end.map(|day: &str| day.parse().unwrap()),
                mentor: mentor.map(str::to_owned),
                topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            });
        }
    }
    filters
}

async fn compare(store: &Store, oracle: &Oracle) {
    for filter in filters() {
        let all = oracle.transcripts("org", &filter);
        for offset in [0, 7, 40] {
            let (total, shown) = page(store, &filter, offset, 5).await;
            assert_eq!(total, u64::try_from(all.len()).unwrap(), "{filter:?}");
            let listed = all.iter().skip(usize::try_from(offset).unwrap()).take(5);
            assert!(shown.iter().eq(listed), "{filter:?} from {offset}");
        }
    }
}

/// Holds the mentors and topics that are told against those of the oracle's conversations.
async fn compare_values(store: &Store, oracle: &Oracle) {
    for (start, end) in [(None, None), (Some("2024-03-05"), Some("2024-03-06"))] {
        let range = TranscriptFilter {
            start: start.map(|day: &str| day.parse().unwrap()),
            end: end.map(|day: &str| day.parse().unwrap()),
            ..TranscriptFilter::default()
        };
        let topics = store.topics("org", &range).await.unwrap();
        let mut expected: HashMap<String, u64> = HashMap::new();
        for conversation in oracle.transcripts("org", &range) {
            let names: BTreeSet<_> = conversation
                .topics
                .iter()
                .map(|name| folded_topic(name))
                .collect();
            for name in names {
                *expected.entry(name).or_default() += 1;
            }
        }
        assert_eq!(topics, most_first(expected), "{range:?}");
        let mentors = store.mentors("org", &range).await.unwrap();
        let expected = ["mentor-1", "mentor-2"].map(|mentor| {
            let filter = TranscriptFilter {
                mentor: Some(mentor.to_owned()),
                ..range.clone()
            };
            let conversations = oracle.transcripts("org", &filter).len();
            (mentor.to_owned(), u64::try_from(conversations).unwrap())
        });
        assert_eq!(mentors, most_first(HashMap::from(expected)), "{range:?}");
    }
}

fn most_first(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(name, count)| (Reverse(*count), name.clone()));
    counts
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
}

/// Inserts, observes, and compares every list and total with the oracle's, in an order that the seed makes.
pub(crate) async fn interleave(store: &Store, seed: u64, steps: u64) {
    let (mut oracle, mut random) = (Oracle::default(), Random(seed));
    let mut clock = START;
    let mut unfinished: Option<SealedBatch> = None;
    for step in 0..steps {
        let minutes = [8, 150][usize::from(random.below(3) == 0)];
        clock += i64::try_from(random.below(minutes)).unwrap() * 60_000;
        match random.below(5) {
            0 => drop(store.observe_conversations(at(clock)).await.unwrap()),
            // One that dies before it has entered what it changed, is observed perhaps, and is inserted again later.
            1 if unfinished.is_none() => {
                let make = if random.below(2) == 0 { said } else { noted };
                let late = make(
                    random.below(60),
                    START + i64::try_from(random.below(90)).unwrap() * HOUR,
                    random.below(3),
                );
                if late.time <= at(clock) {
                    oracle.add(&late);
                    let batch = sealed(&[late]);
                    store.insert(&batch, || at(0)).await.unwrap();
                    unfinished = Some(batch);
                }
            }
            2 => {
                if let Some(batch) = unfinished.take() {
                    store.insert(&batch, || at(clock)).await.unwrap();
                }
            }
            kind => {
                let oldest = match (kind, random.below(3)) {
                    (3, _) => 40,
                    (_, 0) => clock.unsigned_abs() - START.unsigned_abs() + 1,
                    _ => HOUR.unsigned_abs() / 2,
                };
                let events: Vec<_> = (0..random.below(12))
                    .map(|_| {
                        let back = random.below(oldest);
                        let conversation = random.below(40 + step * 4);
                        let time = clock - i64::try_from(back).unwrap();
                        if random.below(3) == 0 {
                            noted(conversation, time, random.below(3))
                        } else {
                            said(conversation, time, random.below(3))
                        }
                    })
                    .collect();
                learn(&mut oracle, &events);
                store.insert(&sealed(&events), || at(clock)).await.unwrap();
            }
        }
        if unfinished.is_none() && step % 4 == 3 {
            compare(store, &oracle).await;
            compare_values(store, &oracle).await;
            assert_eq!(store.verify(OBSERVED_TABLE).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn totals_are_exact_under_every_interleaving_of_inserts_and_observations() {
    for seed in 0..4 {
        let (_database, store) = observing(&format!("observed_{seed}")).await;
        interleave(&store, seed, 60).await;
    }
}

#[tokio::test]
async fn what_is_observed_is_used_until_something_late_comes_and_only_from_there() {
    let (database, store) = observing("observed_used").await;
    let mut oracle = Oracle::default();
    let events: Vec<_> = (0..96)
        .map(|hour| said(hour, START + i64::try_from(hour).unwrap() * HOUR, hour % 3))
        .collect();
    learn(&mut oracle, &events);
    // Half an hour after the 50th hour, of the third day.
    let clock = START + 50 * HOUR + HOUR / 2;
    store.insert(&sealed(&events), || at(clock)).await.unwrap();
    assert_eq!(
        store.observe_conversations(at(clock)).await.unwrap(),
        (2 + 14) + (2 + 2),
        "two days and ten minutes each of the third by mentor, two days and two hours by topic"
    );
    assert_eq!(
        store.observe_conversations(at(clock)).await.unwrap(),
        0,
        "all is observed"
    );
    compare(&store, &oracle).await;

    // What two have observed is there twice until it is merged.
    run(&database, "SYSTEM STOP MERGES observed_beginnings").await;
    let twice = "INSERT INTO observed_beginnings SELECT * FROM observed_beginnings";
    run(&database, twice).await;
    compare(&store, &oracle).await;
    compare_values(&store, &oracle).await;
    run(&database, "SYSTEM START MERGES observed_beginnings").await;

    // It is these counts that answers are made of.
    let change = "ALTER TABLE observed_beginnings UPDATE conversations = conversations + 1000
        WHERE by = 'mentor' AND value = '' AND period = '2024-03-05 00:00:00' SETTINGS mutations_sync = 1";
    run(&database, change).await;
    let all = TranscriptFilter::default();
    assert_eq!(
        store.transcripts_page("org", &all, 0, 1).await.unwrap().total,
        1_096
    );
    let drift = store.verify(OBSERVED_TABLE).await.unwrap().unwrap();
    assert_eq!((drift.missing, drift.unexpected), (1, 1), "{drift}");
    store.rebuild(OBSERVED_TABLE).await.unwrap();
    compare(&store, &oracle).await;
    assert_eq!(
        store.observe_conversations(at(clock)).await.unwrap(),
        (2 + 14) + (2 + 2)
    );

    // Something late on the second day leaves the first.
    let late = said(1_000, START + 30 * HOUR, 1);
    oracle.add(&late);
    store.insert(&sealed(&[late]), || at(clock)).await.unwrap();
    compare(&store, &oracle).await;
    assert_eq!(
        store.observe_conversations(at(clock)).await.unwrap(),
        (1 + 14) + (1 + 2)
    );
    compare(&store, &oracle).await;

    // Of the hour that is not over no count is by topic.
    let minutes_late = said(1_003, START + 50 * HOUR + HOUR / 12, 2);
    oracle.add(&minutes_late);
    store
        .insert(&sealed(&[minutes_late]), || at(clock))
        .await
        .unwrap();
    compare(&store, &oracle).await;
    assert_eq!(store.observe_conversations(at(clock)).await.unwrap(), 2);
    compare(&store, &oracle).await;

    // What is of these ten minutes changes nothing of the past.
    let now = said(1_001, clock, 1);
    oracle.add(&now);
    store.insert(&sealed(&[now]), || at(clock)).await.unwrap();
    assert_eq!(store.observe_conversations(at(clock)).await.unwrap(), 0);
    compare(&store, &oracle).await;

    // An annotation of what has ended changes the topics alone, from when it began.
    let noted = noted(40, clock, 1);
    oracle.add(&noted);
    store.insert(&sealed(&[noted]), || at(clock)).await.unwrap();
    compare(&store, &oracle).await;
    assert_eq!(store.observe_conversations(at(clock)).await.unwrap(), 1 + 2);
    compare(&store, &oracle).await;

    // Something before all that was known.
    let first = said(1_002, START - 90 * HOUR, 2);
    oracle.add(&first);
    store.insert(&sealed(&[first]), || at(clock)).await.unwrap();
    compare(&store, &oracle).await;
    assert_eq!(
        store.observe_conversations(at(clock)).await.unwrap(),
        (6 + 14) + (6 + 2)
    );
    compare(&store, &oracle).await;
}

#[tokio::test]
async fn a_batch_that_comes_late_through_a_slow_insert_is_counted() {
    let (_database, store) = observing("observed_slow").await;
    let mut oracle = Oracle::default();
    let events: Vec<_> = (0..48)
        .map(|hour| said(hour, START + i64::try_from(hour).unwrap() * HOUR, 1))
        .collect();
    learn(&mut oracle, &events);
    store
        .insert(&sealed(&events), || at(START + 48 * HOUR))
        .await
        .unwrap();
    // A batch of the last minute of the day, which is open when the batch is made, and has ended when it is acknowledged.
    let last = said(99, START + 48 * HOUR - 60_000, 1);
    store.observe_conversations(at(START + 49 * HOUR)).await.unwrap();
    oracle.add(&last);
    store
        .insert(&sealed(&[last]), || at(START + 50 * HOUR))
        .await
        .unwrap();
    compare(&store, &oracle).await;
}

#[tokio::test]
async fn rollups_that_are_made_again_are_observed_again() {
    let (database, store) = observing("observed_rebuilt").await;
    let mut oracle = Oracle::default();
    let events: Vec<_> = (0..48)
        .map(|hour| said(hour, START + i64::try_from(hour).unwrap() * HOUR, 1))
        .collect();
    learn(&mut oracle, &events);
    let clock = at(START + 100 * HOUR);
    store.insert(&sealed(&events), || clock).await.unwrap();
    run(
        &database,
        "DELETE FROM conversations_by_day WHERE day = '2024-03-05'",
    )
    .await;
    store.observe_conversations(clock).await.unwrap();
    let all = TranscriptFilter::default();
    assert_eq!(store.transcripts_page("org", &all, 0, 1).await.unwrap().total, 24);
    store.rebuild("conversations_by_day").await.unwrap();
    compare(&store, &oracle).await;
    let entered: u64 = client(&database.settings)
        .query("SELECT count() FROM changes WHERE since = toDateTime(0, 'UTC')")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(entered, 1);
}
