//! Events out of a small world, in which everything collides.

use std::borrow::Cow;

use events::{Annotation, Body, Erasure, Event, Message, Registration, Role, Sentiment, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

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
    let erasure =
        (user(), small_time()).prop_map(|(user_id, erased_at)| Body::Erasure(Erasure { user_id, erased_at }));
    let org = select(vec!["acme", "zeta"]).prop_map(Cow::Borrowed);
    let id = select(vec!["e-1", "e-2"]).prop_map(Cow::Borrowed);
    (
        org,
        id,
        small_time(),
        prop_oneof![6 => message, 2 => annotation, 1 => registration, 1 => erasure],
    )
        .prop_map(|(org, id, time, body)| Event { org, id, time, body })
}

/// An instant at or next to a boundary of the weeks around 2024-01-01, a Monday.
fn small_time() -> impl Strategy<Value = Timestamp> {
    let hours = select(vec![-24 * 8, -24, 0, 1, 24, 24 * 6, 24 * 7, 24 * 9]);
    (hours, -1..=1_i64)
        .prop_map(|(hours, millis)| Timestamp::from_millis(1_704_067_200_000 + hours * 3_600_000 + millis))
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
