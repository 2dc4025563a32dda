//! Made-up worlds in which everything collides: few users, conversations and texts, and instants at and next to the
//! boundaries of hours, days, weeks and years.

use std::borrow::Cow;

use events::{Annotation, Body, DateRange, Day, Event, Message, Registration, Role, Sentiment, Timestamp};
use proptest::{
    collection::vec, option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner,
};
use uuid::Uuid;

use super::{question::Question, wire::Spelling};

/// How many events a world has.
const EVENTS: std::ops::RangeInclusive<usize> = 20..=80;
/// How many questions are asked about it.
const QUESTIONS: usize = 40;

/// Events of one org, and questions about them.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) events: Vec<WorldEvent>,
    pub(crate) questions: Vec<Question>,
}

/// An event as it is published.
#[derive(Debug, Clone)]
pub(crate) struct WorldEvent {
    pub(crate) event: Event<'static>,
    pub(crate) spelling: Spelling,
    /// Whether it is published again, later and spelled otherwise.
    pub(crate) again: bool,
}

/// Any world.
pub(crate) fn world() -> impl Strategy<Value = World> {
    (vec(world_event(), EVENTS), vec(question(), QUESTIONS))
        .prop_map(|(events, questions)| World { events, questions })
}

/// Some worlds, the same each time.
pub(crate) fn sample(count: usize) -> Vec<World> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| world().new_tree(&mut runner).unwrap().current())
        .collect()
}

fn world_event() -> impl Strategy<Value = WorldEvent> {
    (event(), any::<u16>(), prop::bool::weighted(0.2)).prop_map(|(event, spelling, again)| WorldEvent {
        event,
        spelling: Spelling(spelling),
        again,
    })
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let message = (
        uuid(),
        uuid(),
        role(),
        option::weighted(0.8, user()),
        option::weighted(0.8, mentor()),
    );
    let message = (
        message,
        word(),
        option::of(select(vec!["m-1", "m-2", "Modell \u{1F642}"])),
    );
    let message = message.prop_map(
        |((message_id, conversation_id, role, user_id, mentor_id), content, model)| {
            Body::Message(Message {
                message_id,
                conversation_id,
                role,
                user_id: user_id.map(Cow::Borrowed),
                mentor_id: mentor_id.map(Cow::Borrowed),
                content: Cow::Borrowed(content),
                model: model.map(Cow::Borrowed),
            })
        },
    );
    let sentiment = select(vec![Sentiment::Positive, Sentiment::Negative, Sentiment::Neutral]);
    let topics = vec(topic().prop_map(Cow::Borrowed), 0..4);
    let annotation = (uuid(), topics, sentiment, any_instant()).prop_map(
        |(conversation_id, topics, user_sentiment, annotated_at)| {
            Body::Annotation(Annotation {
                conversation_id,
                topics,
                user_sentiment,
                annotated_at,
            })
        },
    );
    let registrant = prop_oneof![4 => user(), 1 => select(vec!["silent-1", "silent-2"])];
    let registration = (registrant, any_instant()).prop_map(|(user_id, registered_at)| {
        Body::Registration(Registration {
            user_id: Cow::Borrowed(user_id),
            registered_at,
        })
    });
    let id = select(vec!["e-1", "e-2", "E-1", "\u{e9}"]).prop_map(Cow::Borrowed);
    let body = prop_oneof![7 => message, 2 => annotation, 2 => registration];
    (id, instant(), body).prop_map(|(id, time, body)| Event {
        org: Cow::Borrowed("to be named"),
        id,
        time,
        body,
    })
}

/// Questions of every kind, about ranges between days that matter.
fn question() -> impl Strategy<Value = Question> {
    let grain = || {
        option::weighted(
            0.8,
            select(vec![
                "hour", "day", "week", "month", "hourly", "daily", "weekly", "monthly",
            ]),
        )
    };
    let usage = (range(), grain()).prop_map(|(range, grain)| Question::Usage { range, grain });
    let asked_mentor = || prop_oneof![4 => mentor(), 1 => Just("nobody"), 1 => Just("EUCLID")];
    let empty_too = prop_oneof![5 => asked_mentor(), 1 => Just("")];
    let by = option::of(select(vec!["registration", "activity"]));
    let cohorts =
        (range(), grain(), option::of(empty_too), by).prop_map(|(range, grain, mentor, new_users_by)| {
            Question::Cohorts {
                range,
                grain,
                mentor: mentor.map(str::to_owned),
                new_users_by,
            }
        });
    let asked_topic = prop_oneof![3 => topic(), 1 => select(vec!["MATHS ", "art", "\u{c9}TUDE", "STRASSE", "a, \"B\"", "nothing"])];
    let topics = prop_oneof![2 => Just(Vec::new()), 3 => vec(asked_topic.prop_map(str::to_owned), 1..4)];
    let page_size = option::weighted(0.3, 1..8_usize);
    let ends = (range(), any::<(bool, bool)>());
    let transcripts = (ends, option::of(asked_mentor()), topics, page_size).prop_map(
        |((range, (from, to)), mentor, topics, page_size)| Question::Transcripts {
            start: from.then_some(range.start()),
            end: to.then_some(range.end()),
            mentor: mentor.map(str::to_owned),
            topics,
            page_size,
        },
    );
    prop_oneof![1 => usage, 2 => cohorts, 2 => transcripts]
}

/// A range between two days that matter, at most 9,100 hours long; now and then one at the end of the calendar.
fn range() -> impl Strategy<Value = DateRange> {
    let day = || {
        select(vec![
            "2023-12-25",
            "2023-12-30",
            "2023-12-31",
            "2024-01-01",
            "2024-01-02",
            "2024-01-03",
            "2024-01-07",
            "2024-01-08",
            "2024-02-28",
            "2024-02-29",
            "2024-03-01",
            "2024-12-29",
            "2024-12-30",
            "2024-12-31",
            "2025-01-01",
            "2025-01-05",
        ])
    };
    let inner = (day(), day()).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let edge = select(vec![
        ("0001-01-01", "0001-01-03"),
        ("1969-12-31", "1970-01-01"),
        ("2000-01-01", "2000-01-02"),
        ("9999-12-20", "9999-12-31"),
        ("2024-02-29", "2024-02-29"),
    ]);
    prop_oneof![5 => inner, 1 => edge].prop_map(|(start, end)| {
        let day = |text: &str| text.parse::<Day>().unwrap();
        DateRange::new(day(start), day(end)).unwrap()
    })
}

/// An instant that a message may have: at, just before or just after a boundary.
fn instant() -> impl Strategy<Value = Timestamp> {
    let boundary = select(vec![
        "2023-12-31T00:00:00Z",
        "2024-01-01T00:00:00Z",
        "2024-01-01T01:00:00Z",
        "2024-01-02T00:00:00Z",
        "2024-01-07T23:00:00Z",
        "2024-01-08T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "2024-03-01T00:00:00Z",
        "2024-12-30T00:00:00Z",
        "2025-01-01T00:00:00Z",
    ]);
    let near = (boundary, -1..=1_i64).prop_map(|(boundary, millis)| {
        let boundary = Timestamp::parse_rfc3339(boundary).unwrap();
        Timestamp::from_millis(boundary.as_millis() + millis)
    });
    // The first instants that are accepted.
    let first = (946_684_800_000..=946_684_800_001_i64).prop_map(Timestamp::from_millis);
    prop_oneof![20 => near, 1 => first]
}

/// Any instant.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    let anywhere = select(vec![
        "0001-01-01T00:00:00.000Z",
        "1899-12-31T23:59:59.999Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00.000Z",
        "1999-12-31T23:59:59.999Z",
        "2300-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
    ]);
    let anywhere = anywhere.prop_map(|text| Timestamp::parse_rfc3339(text).unwrap());
    prop_oneof![5 => instant(), 1 => anywhere]
}

/// One of a few that sort differently by their halves.
fn uuid() -> impl Strategy<Value = Uuid> {
    select(vec![
        0,
        1,
        2,
        1 << 64,
        (1 << 64) | 2,
        1 << 127,
        (1 << 127) - 1,
        u128::MAX,
    ])
    .prop_map(Uuid::from_u128)
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![
        Role::User,
        Role::User,
        Role::Assistant,
        Role::System,
        Role::Tool,
    ])
}

fn user() -> impl Strategy<Value = &'static str> {
    select(vec!["ada", "Ada", "42", "o'neil \\ \"q\"", "\u{fc}\u{1F642}\t"])
}

fn mentor() -> impl Strategy<Value = &'static str> {
    select(vec!["euclid", "7", "gauss & s\u{f6}hne / 100%+1"])
}

fn word() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        "a",
        "b",
        "two\nlines\t\"quoted\" \\ \u{0}",
        "\u{1F642} gr\u{fc}\u{df}e",
    ])
}

fn topic() -> impl Strategy<Value = &'static str> {
    select(vec![
        "Maths",
        " maths",
        "art",
        "\u{e9}tude",
        "Maths ",
        "Stra\u{df}e",
        "a, \"b\"",
    ])
}
