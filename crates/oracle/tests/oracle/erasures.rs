//! The sentences of the contract on those who are to be forgotten.

use events::{Grain, Message, NewUsersBy, Role, Sentiment, TranscriptFilter};

use crate::world::{World, at, at_noon, later, message};

/// What a model answers, which names nobody.
fn answer(id: u128) -> Message<'static> {
    Message {
        role: Role::Assistant,
        user_id: None,
        content: "yes, ada".into(),
        ..message(id)
    }
}

fn by_bob(id: u128) -> Message<'static> {
    Message {
        user_id: Some("bob".into()),
        ..message(id)
    }
}

#[test]
fn what_a_user_said_up_to_then_is_gone_and_what_comes_later_counts() {
    let world = World::default()
        .register("ada", "2023-12-01T00:00:00Z")
        .active("ada", "euclid", "2024-01-01T12:00:00Z")
        .active("ada", "euclid", "2024-01-01T12:00:00.001Z")
        .active("ada", "euclid", "2024-01-02T00:00:00Z")
        .active("bob", "euclid", "2024-01-01T12:00:00Z")
        .erase("ada", "2024-01-01T12:00:00Z");
    assert_eq!(world.usage("2024-01-01", "2024-01-02", Grain::Day), [2, 1]);
    let days = ("2024-01-01", "2024-01-02");
    let cohorts = world.cohorts(days, None, NewUsersBy::Registration);
    assert_eq!(cohorts, (vec![2, 0], vec![0, 0]), "registered by what is left");
    assert_eq!(world.listed(&TranscriptFilter::default()).len(), 3);
    assert!(world.0.org_exists("acme"));
}

#[test]
fn the_latest_erasure_holds() {
    let world = World::default()
        .active("ada", "euclid", "2024-01-01T12:00:00Z")
        .erase("ada", "2024-01-01T12:00:00Z")
        .erase("ada", "2024-01-01T11:00:00Z");
    assert_eq!(world.usage("2024-01-01", "2024-01-01", Grain::Day), [0]);
}

#[test]
fn a_conversation_in_which_nobody_else_spoke_goes_whole() {
    let world = World::default()
        .say(at_noon(), message(1))
        .say(later(1_000), answer(2))
        .annotate("a", "2024-01-01T12:00:00Z", &["ada's"], Sentiment::Positive);
    assert!(
        world
            .erase("ada", "2024-01-01T13:00:00Z")
            .listed(&TranscriptFilter::default())
            .is_empty()
    );
}

#[test]
fn of_a_conversation_that_goes_on_what_came_up_to_then_goes() {
    let conversation = World::default()
        .say(at_noon(), message(1))
        .say(later(1_000), answer(2))
        .annotate("a", "2024-01-01T12:00:00Z", &["ada's"], Sentiment::Positive)
        .say(later(5_000), answer(3))
        .say(
            later(6_000),
            Message {
                content: "and now?".into(),
                ..message(4)
            },
        )
        .erase("ada", "2024-01-01T12:00:02Z")
        .only();
    assert_eq!(conversation.inserted_at, at("2024-01-01T12:00:05Z"));
    assert_eq!(conversation.first_message, "and now?");
    assert_eq!((conversation.message_count, conversation.topics.len()), (2, 0));
}

#[test]
fn where_others_spoke_only_the_messages_of_the_user_go() {
    let conversation = World::default()
        .say(at_noon(), message(1))
        .say(later(1_000), answer(2))
        .say(later(2_000), by_bob(3))
        .annotate("a", "2024-01-01T12:00:00Z", &["maths"], Sentiment::Positive)
        .erase("ada", "2024-01-01T13:00:00Z")
        .only();
    assert_eq!(
        (conversation.user_id.as_str(), conversation.message_count),
        ("bob", 2)
    );
    assert_eq!(conversation.topics, ["maths"]);
}

#[test]
fn where_all_who_spoke_are_forgotten_the_conversation_goes() {
    let world = World::default()
        .say(at_noon(), message(1))
        .say(later(1_000), answer(2))
        .say(later(2_000), by_bob(3))
        .say(later(3_000), answer(4))
        .erase("ada", "2024-01-01T13:00:00Z");
    assert_eq!(world.only().message_count, 3);
    assert!(
        world
            .erase("bob", "2024-01-01T12:00:02Z")
            .listed(&TranscriptFilter::default())
            .is_empty()
    );
}
