//! Events made up: wild ones for the wire, and ones out of a small world, in which everything collides, for the
//! oracle.

use std::borrow::Cow;

use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::wire::NOW;

/// Any valid event.
pub(crate) fn wild_event() -> impl Strategy<Value = Event<'static>> {
    let name = || name(255);
    let message = (
        uuid(),
        uuid(),
        role(),
        option::of(name()),
        option::of(name()),
        text(),
        option::of(name()),
    )
        .prop_map(
            |(message_id, conversation_id, role, user_id, mentor_id, content, model)| {
                Body::Message(Message {
                    message_id,
                    conversation_id,
                    role,
                    user_id,
                    mentor_id,
                    content,
                    model,
                })
            },
        );
    let annotation = (uuid(), vec(name(), 0..5), sentiment(), any_time()).prop_map(
        |(conversation_id, topics, user_sentiment, annotated_at)| {
            Body::Annotation(Annotation {
                conversation_id,
                topics,
                user_sentiment,
                annotated_at,
            })
        },
    );
    let registration = (name(), any_time()).prop_map(|(user_id, registered_at)| {
        Body::Registration(Registration {
            user_id,
            registered_at,
        })
    });
    let org = "[A-Za-z0-9._-]{1,64}".prop_map(Cow::Owned);
    let time = (946_684_800_000..=NOW.as_millis() + 300_000).prop_map(Timestamp::from_millis);
    (org, name(), time, prop_oneof![message, annotation, registration])
        .prop_map(|(org, id, time, body)| Event { org, id, time, body })
}

/// An event out of two orgs, four users, three conversations and a few weeks.
pub(crate) fn small_event() -> impl Strategy<Value = Event<'static>> {
    let few = |number: u8| (0..number).prop_map(|number| Uuid::from_u128(u128::from(number)));
    let user = || select(vec!["ada", "bob", "cy", "dee"]).prop_map(Cow::Borrowed);
    let word = || select(vec!["", "a", "b"]).prop_map(Cow::Borrowed);
    let message = (
        few(6),
        few(3),
        role(),
        option::of(user()),
        option::of(user()),
        word(),
        option::of(user()),
    )
        .prop_map(
            |(message_id, conversation_id, role, user_id, mentor_id, content, model)| {
                Body::Message(Message {
                    message_id,
                    conversation_id,
                    role,
                    user_id,
                    mentor_id,
                    content,
                    model,
                })
            },
        );
    let annotation = (
        few(4),
        vec(
            select(vec!["Maths", " maths", "art"]).prop_map(Cow::Borrowed),
            0..3,
        ),
        sentiment(),
        small_time(),
    )
        .prop_map(|(conversation_id, topics, user_sentiment, annotated_at)| {
            Body::Annotation(Annotation {
                conversation_id,
                topics,
                user_sentiment,
                annotated_at,
            })
        });
    let registration = (user(), small_time()).prop_map(|(user_id, registered_at)| {
        Body::Registration(Registration {
            user_id,
            registered_at,
        })
    });
    let org = select(vec!["acme", "zeta"]).prop_map(Cow::Borrowed);
    let id = select(vec!["e-1", "e-2"]).prop_map(Cow::Borrowed);
    (
        org,
        id,
        small_time(),
        prop_oneof![6 => message, 2 => annotation, 1 => registration],
    )
        .prop_map(|(org, id, time, body)| Event { org, id, time, body })
}

/// An instant at or beside a boundary of the weeks around 2024-01-01, a Monday.
fn small_time() -> impl Strategy<Value = Timestamp> {
    let hours = select(vec![-24 * 8, -24, 0, 1, 24, 24 * 6, 24 * 7, 24 * 9]);
    (hours, -1..=1_i64)
        .prop_map(|(hours, millis)| Timestamp::from_millis(1_704_067_200_000 + hours * 3_600_000 + millis))
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    // From the first to the last instant that RFC 3339 can write.
    (-62_135_596_800_000..=253_402_300_799_999_i64).prop_map(Timestamp::from_millis)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn name(limit: usize) -> impl Strategy<Value = Cow<'static, str>> {
    vec(any::<char>(), 1..=limit).prop_map(|characters| Cow::Owned(characters.into_iter().collect()))
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    vec(any::<char>(), 0..600).prop_map(|characters| Cow::Owned(characters.into_iter().collect()))
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

fn sentiment() -> impl Strategy<Value = Sentiment> {
    select(vec![Sentiment::Positive, Sentiment::Negative, Sentiment::Neutral])
}
