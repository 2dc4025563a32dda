//! Users who are to be forgotten: what is answered is as if what they said had never been, whatever comes again.

use aggregator::{Batch, Erased, LastLook, Settings, Store, verified_tables};
use events::{
    Annotation, Body, DateRange, Erasure, Event, Grain, Message, NewUsersBy, Registration, Role, Sentiment,
    Timestamp, TranscriptFilter,
};
use oracle::Oracle;
use uuid::Uuid;

use crate::{
    harness::{Database, page},
    observed_users::Random,
};

const HOUR: i64 = 3_600_000;
/// 2024-02-26, a Monday.
const START: i64 = 1_708_905_600_000;
/// After all that is said.
const END: i64 = START + 400 * HOUR;

/// What users are called, and what they say, holds this.
const SECRET: &str = "secret-of";

fn user(number: u64) -> String {
    format!("{SECRET}-{number}")
}

fn event(number: u64, at: i64, body: Body<'static>) -> Event<'static> {
    Event {
        org: "org".into(),
        id: format!("event-{number}").into(),
        time: Timestamp::from_millis(at),
        body,
    }
}

fn erasure(number: u64, of: u64, until: i64) -> Event<'static> {
    let body = Body::Erasure(Erasure {
        user_id: user(of).into(),
        erased_at: Timestamp::from_millis(until),
    });
    event(number, until, body)
}

/// An event out of a small world: five users, of whom one is often alone, and twelve conversations.
fn any_event(random: &mut Random, number: u64) -> Event<'static> {
    let at = START + i64::try_from(random.below(300)).unwrap() * HOUR;
    let conversation = random.below(12);
    let conversation_id = Uuid::from_u128(u128::from(conversation) + 1);
    let body = match random.below(8) {
        0 => Body::Registration(Registration {
            user_id: user(random.below(5)).into(),
            registered_at: Timestamp::from_millis(at),
        }),
        1 => Body::Annotation(Annotation {
            conversation_id,
            topics: vec![format!("Topic {}", random.below(3)).into()],
            user_sentiment: Sentiment::Neutral,
            annotated_at: Timestamp::from_millis(at),
        }),
        kind => {
            // In most conversations one user speaks alone.
            let speaker = if conversation < 8 {
                conversation % 5
            } else {
                random.below(5)
            };
            Body::Message(Message {
                message_id: Uuid::from_u128(u128::from(number) + 1),
                conversation_id,
                role: if kind < 5 { Role::User } else { Role::Assistant },
                user_id: (kind < 6).then(|| user(speaker).into()),
                mentor_id: (random.below(3) > 0).then(|| format!("mentor-{}", random.below(2)).into()),
                content: format!("{SECRET}-{speaker} says {number}").into(),
                model: None,
            })
        }
    };
    event(number, at, body)
}

/// Compares every kind of answer with the oracle's.
async fn compare(store: &Store, oracle: &Oracle, label: &str) {
    let range = DateRange::new("2024-02-20".parse().unwrap(), "2024-03-20".parse().unwrap()).unwrap();
    for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month] {
        let usage = store.usage_summary("org", range, grain).await.unwrap();
        assert_eq!(
            usage,
            oracle.usage_summary("org", range, grain),
            "{label}: {grain:?}"
        );
        for mentor in [None, Some("mentor-1")] {
            for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
                let cohorts = store.cohorts("org", range, grain, mentor, by).await.unwrap();
                let expected = oracle.cohorts("org", range, grain, mentor, by);
                assert_eq!(cohorts, expected, "{label}: {grain:?} {mentor:?} {by:?}");
            }
        }
    }
    let filters = [
        TranscriptFilter::default(),
        TranscriptFilter {
            mentor: Some("mentor-1".into()),
            ..TranscriptFilter::default()
        },
        TranscriptFilter {
            topics: vec!["topic 1".into()],
            ..TranscriptFilter::default()
        },
    ];
    for filter in &filters {
        let listed = oracle.transcripts("org", filter);
        let found = page(store, filter, 0, 100).await;
        assert_eq!(
            found,
            (u64::try_from(listed.len()).unwrap(), listed),
            "{label}: {filter:?}"
        );
    }
}

async fn insert(store: &Store, mut batch: Batch, events: &[Event<'static>]) {
    for event in events {
        batch.append(event);
    }
    let now = || Timestamp::from_millis(END);
    store.insert(&batch.seal(), now).await.unwrap();
}

async fn erase(store: &Store) {
    while store.erase(|_| ()).await.unwrap() != Erased::Nothing {}
}

/// Inserts and erases in many orders, with what comes again by batches that know who is forgotten and by such that do not, and
/// with what inserts that died have left. Compares the answers each time all is erased.
pub(crate) async fn interleave(settings: &Settings, seed: u64, rounds: u64) {
    let store = Store::new(&Settings {
        observe_from: 1,
        ..settings.clone()
    });
    let (mut random, mut oracle, mut all) = (Random(seed), Oracle::default(), Vec::new());
    let mut last = LastLook::default();
    for round in 0..rounds {
        let label = format!("seed {seed}, round {round}");
        let mut events: Vec<_> = (0..60)
            .map(|number| any_event(&mut random, round * 100 + number))
            .collect();
        if round > 0 {
            // Who speaks late in a conversation that is gone does not bring it back, so others have spoken before.
            events.retain(|event| {
                !matches!(&event.body, Body::Message(message)
                    if message.user_id.is_some() && message.conversation_id.as_u128() > 8)
            });
            let hours = i64::try_from(random.below(300)).unwrap();
            let until = if round == 1 { END } else { START + hours * HOUR };
            events.push(erasure(round * 100 + 60, round - 1, until));
        }
        for event in &events {
            oracle.add(event);
        }
        all.extend(events.iter().cloned());
        store
            .observe(Timestamp::from_millis(END), &mut last)
            .await
            .unwrap();
        // It knows who is forgotten, or was opened before that was known.
        let batch = if random.below(2) == 0 {
            store.batch()
        } else {
            Batch::new()
        };
        insert(&store, batch, &events).await;
        erase(&store).await;
        compare(&store, &oracle, &label).await;
        store
            .observe(Timestamp::from_millis(END), &mut last)
            .await
            .unwrap();
        compare(&store, &oracle, &format!("{label}, observed")).await;
    }
    // All that was said comes again: to an insert that dies once the facts are there, and then to one that knows who is forgotten.
    all.retain(|event| !matches!(event.body, Body::Erasure(_)));
    let mut died = Batch::new();
    for event in &all {
        died.append(event);
    }
    store.insert_facts(&died.seal()).await.unwrap();
    insert(&store, store.batch(), &all).await;
    erase(&store).await;
    compare(&store, &oracle, &format!("seed {seed}, again")).await;
    for table in verified_tables() {
        assert_eq!(store.verify(table).await.unwrap(), None, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_if_what_is_forgotten_had_never_been_whatever_comes_again() {
    for seed in 1..=2 {
        let database = Database::migrated(&format!("erasures_{seed}")).await;
        interleave(&database.settings, seed, 5).await;
    }
}
