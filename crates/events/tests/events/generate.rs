//! Any valid event, to encode and decode again.

use std::borrow::Cow;

use events::{Annotation, Body, Erasure, Event, Message, Registration, Role, Sentiment, Timestamp};
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
    let annotation = (uuid(), vec(name(), 0..5), sentiment(), time()).prop_map(
        |(conversation_id, topics, user_sentiment, annotated_at)| {
            Body::Annotation(Annotation {
                conversation_id,
                topics,
                user_sentiment,
                annotated_at,
            })
        },
    );
    let registration = (name(), time()).prop_map(|(user_id, registered_at)| {
        Body::Registration(Registration {
            user_id,
            registered_at,
        })
    });
    let erasure =
        (name(), time()).prop_map(|(user_id, erased_at)| Body::Erasure(Erasure { user_id, erased_at }));
    let org = "[A-Za-z0-9._-]{1,64}".prop_map(Cow::Owned);
    (
        org,
        name(),
        time(),
        prop_oneof![message, annotation, registration, erasure],
    )
        .prop_map(|(org, id, time, body)| Event { org, id, time, body })
}

/// From 2000 to five minutes ahead.
fn time() -> impl Strategy<Value = Timestamp> {
    (946_684_800_000..=NOW.as_millis() + 300_000).prop_map(Timestamp::from_millis)
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
