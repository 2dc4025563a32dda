//! Statements that name more than ClickHouse takes in a field of a form, 128 KiB: as the oracle has it, none is refused.

use aggregator::{Settings, Store};
use events::{Body, DateRange, Day, Event, Grain, NewUsersBy, Timestamp, TranscriptFilter};
use oracle::Oracle;
use uuid::Uuid;

use crate::harness::{Database, client, insert, message, now, page, registration};

/// 2024-02-26T00:00:00Z
const START: i64 = 1_708_905_600_000;

/// A store that observes small organisations, too.
fn observing(database: &Database) -> Store {
    Store::new(&Settings {
        observe_from: 1,
        ..database.settings.clone()
    })
}

/// A message of an instant, with a mentor.
fn said(number: i64, conversation: i64, time: i64, mentor: Option<&'static str>) -> Event<'static> {
    let mut event = message("org", conversation, number);
    event.time = Timestamp::from_millis(time);
    if let Body::Message(message) = &mut event.body {
        message.mentor_id = mentor.map(Into::into);
        message.message_id = Uuid::from_u128(u128::from(number.unsigned_abs()));
    }
    event
}

#[tokio::test]
async fn a_nightly_job_may_register_any_number_of_users_of_any_name() {
    const USERS: u64 = 21_000;
    let database = Database::migrated("long_registrations").await;
    let (store, mut oracle) = (observing(&database), Oracle::default());
    let names = [
        "${registered_at}",
        "`{db:Identifier}`",
        "cluster('rollcall', view(",
        "a'b\\c\0d?e",
        "\u{1f600}",
    ];
    let job = || {
        (0..USERS).map(move |number| {
            let mut event = registration("org", i64::try_from(number).unwrap());
            if let Body::Registration(registration) = &mut event.body {
                let name = names[usize::try_from(number).unwrap() % names.len()];
                registration.user_id = format!("{name} of {number}").into();
            }
            event
        })
    };
    insert(&store, &mut [&mut oracle], [message("org", 1, 1)]).await;
    insert(&store, &mut [&mut oracle], job()).await;
    assert!(store.observe_users(now()).await.unwrap() > 0);
    insert(&store, &mut [&mut oracle], job()).await;
    assert_eq!(
        store.observe_users(now()).await.unwrap(),
        0,
        "nothing has changed"
    );
    let noted = client(&database.settings)
        .query("SELECT uniqExact(user) FROM entered_registrations")
        .fetch_one::<u64>();
    assert_eq!(noted.await.unwrap(), USERS);

    let days = DateRange::new("2023-12-01".parse().unwrap(), "2024-06-30".parse().unwrap()).unwrap();
    for by in [NewUsersBy::Registration, NewUsersBy::Activity] {
        assert_eq!(
            store.cohorts("org", days, Grain::Month, None, by).await.unwrap(),
            oracle.cohorts("org", days, Grain::Month, None, by)
        );
    }
}

#[tokio::test]
async fn any_number_of_conversations_may_begin_with_records_of_two_mentors() {
    const CONVERSATIONS: i64 = 7_000;
    let database = Database::migrated("long_ties").await;
    let (store, mut oracle) = (&database.store, Oracle::default());
    let events = (0..CONVERSATIONS).flat_map(|conversation| {
        let time = START + conversation * 10_000;
        [
            said(conversation, conversation, time, Some("mentor-1")),
            said(conversation, conversation, time, Some("mentor-2")),
        ]
    });
    // That somebody else began this one is not told by its day and mentor.
    let other = CONVERSATIONS;
    let begun = [("mentor-2", 0), ("mentor-1", 1_000)]
        .map(|(mentor, later)| said(other + later, other, START + later, Some(mentor)));
    insert(store, &mut [&mut oracle], events.chain(begun)).await;
    let filter = TranscriptFilter {
        mentor: Some("mentor-1".to_owned()),
        ..TranscriptFilter::default()
    };
    let all = oracle.transcripts("org", &filter);
    assert_eq!(all.len(), usize::try_from(CONVERSATIONS).unwrap());
    for offset in [0, 3_500, 6_990] {
        let (total, listed) = page(store, &filter, offset, 10).await;
        assert_eq!(total, u64::try_from(all.len()).unwrap());
        let offset = usize::try_from(offset).unwrap();
        assert_eq!(listed, all[offset..offset + 10], "from {offset}");
    }
}

#[tokio::test]
async fn mentors_are_told_of_ten_years() {
    const DAYS: i64 = 3_600;
    let database = Database::migrated("long_years").await;
    let (store, mut oracle) = (observing(&database), Oracle::default());
    let events = (0..DAYS).map(|day| {
        let mentor = ["mentor-1", "mentor-2"][usize::from(day % 3 == 0)];
        said(day, day, START - day * Day::MILLIS, Some(mentor))
    });
    insert(&store, &mut [&mut oracle], events).await;
    let end = Timestamp::from_millis(START + Day::MILLIS);
    assert!(store.observe_conversations(end).await.unwrap() >= u64::try_from(DAYS).unwrap());
    let mentors = store.mentors("org", &TranscriptFilter::default()).await.unwrap();
    assert_eq!(
        mentors,
        [("mentor-1".to_owned(), 2_400), ("mentor-2".to_owned(), 1_200)]
    );
}
