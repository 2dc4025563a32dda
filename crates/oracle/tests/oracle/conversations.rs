//! The sentences of the contract on conversations, and on how they are listed.

use events::{Conversation, Message, Role, Sentiment, TranscriptFilter};
use uuid::Uuid;

use crate::world::{World, at_noon, later, message};

#[test]
fn an_edit_under_the_same_id_is_a_second_fact() {
    let world = World::default()
        .say(
            later(5),
            Message {
                content: "edited".into(),
                ..message(1)
            },
        )
        .say(
            at_noon(),
            Message {
                content: "first".into(),
                ..message(1)
            },
        );
    assert_eq!(world.only().first_message, "first");
    assert_eq!(world.only().message_count, 1);
    assert_eq!(world.only().inserted_at, at_noon());
}

#[test]
fn the_earliest_is_the_smallest_time_then_id_then_content() {
    let say = |id, content: &'static str| Message {
        content: content.into(),
        ..message(id)
    };
    let world = World::default()
        .say(at_noon(), say(2, "a"))
        .say(at_noon(), say(1, "z"))
        .say(at_noon(), say(1, "m"));
    assert_eq!(world.only().first_message, "m");
    assert_eq!(world.say(later(-1), say(9, "zz")).only().first_message, "zz");
}

#[test]
fn records_that_agree_in_time_id_and_content_are_ordered_by_user_mentor_model_and_role() {
    let anonymous = Message {
        user_id: None,
        ..message(1)
    };
    let world = World::default()
        .say(at_noon(), message(1))
        .say(at_noon(), anonymous);
    assert_eq!(world.only().user_id, "anonymous");

    let models = ["m-1", "m-2"].map(|model| Message {
        role: Role::Assistant,
        model: Some(model.into()),
        ..message(1)
    });
    let [first, second] = models;
    assert_eq!(
        World::default()
            .say(at_noon(), second)
            .say(at_noon(), first)
            .only()
            .model,
        "m-2"
    );

    let mentors = [Some("b".into()), None, Some("a".into())].map(|mentor_id| Message {
        mentor_id,
        ..message(1)
    });
    let world = mentors
        .into_iter()
        .fold(World::default(), |world, message| world.say(at_noon(), message));
    let with = |mentor: &str| TranscriptFilter {
        mentor: Some(mentor.into()),
        ..TranscriptFilter::default()
    };
    assert_eq!(
        (world.listed(&with("a")).len(), world.listed(&with("b")).len()),
        (0, 0)
    );
}

#[test]
fn a_conversation_is_listed_once_it_has_a_message() {
    let world = World::default().annotate("a", "2024-01-01T13:00:00Z", &["maths"], Sentiment::Positive);
    assert!(world.listed(&TranscriptFilter::default()).is_empty());
    let world = world.say(
        at_noon(),
        Message {
            role: Role::Tool,
            ..message(1)
        },
    );
    let expected = Conversation {
        id: Uuid::from_u128(1),
        user_id: "ada".into(),
        first_message: String::new(),
        message_count: 0,
        model: String::new(),
        inserted_at: at_noon(),
        topics: vec!["maths".into()],
        user_sentiment: "positive",
    };
    assert_eq!(world.only(), expected);
}

#[test]
fn inserted_at_and_the_mentor_are_those_of_the_earliest_message_of_any_role() {
    let system = Message {
        role: Role::System,
        mentor_id: Some("plato".into()),
        ..message(2)
    };
    let world = World::default().say(at_noon(), message(1)).say(later(-5), system);
    assert_eq!(world.only().inserted_at, later(-5));
    let with = |mentor: &str| TranscriptFilter {
        mentor: Some(mentor.into()),
        ..TranscriptFilter::default()
    };
    assert_eq!(
        (
            world.listed(&with("plato")).len(),
            world.listed(&with("euclid")).len()
        ),
        (1, 0)
    );
}

#[test]
fn the_first_message_is_the_earliest_of_the_user() {
    let greeting = Message {
        role: Role::Assistant,
        content: "welcome".into(),
        ..message(2)
    };
    let world = World::default().say(later(-5), greeting);
    assert_eq!(world.only().first_message, "");
    let world = world
        .say(
            later(1),
            Message {
                content: "later".into(),
                ..message(3)
            },
        )
        .say(at_noon(), message(1));
    assert_eq!(world.only().first_message, "hello");
}

#[test]
fn distinct_messages_of_users_and_assistants_are_counted() {
    let of = |id, role| Message { role, ..message(id) };
    let world = World::default()
        .say(at_noon(), of(1, Role::User))
        .say(later(1), of(1, Role::User))
        .say(later(2), of(2, Role::Assistant))
        .say(later(3), of(3, Role::System))
        .say(later(4), of(4, Role::Tool));
    assert_eq!(world.only().message_count, 2);
    assert_eq!(world.say(later(5), of(3, Role::User)).only().message_count, 3);
}

#[test]
fn the_user_is_that_of_the_earliest_user_message_else_of_the_earliest() {
    let by = |id, role, user_id: Option<&'static str>| Message {
        role,
        user_id: user_id.map(Into::into),
        ..message(id)
    };
    let world = World::default().say(at_noon(), by(1, Role::Assistant, Some("bob")));
    assert_eq!(world.only().user_id, "bob");
    let world = world.say(later(1), by(2, Role::User, Some("ada")));
    assert_eq!(world.only().user_id, "ada");
    let world = world.say(later(-1), by(3, Role::User, None));
    assert_eq!(world.only().user_id, "anonymous");
    assert_eq!(
        World::default()
            .say(at_noon(), by(1, Role::Tool, None))
            .only()
            .user_id,
        "anonymous"
    );
}

#[test]
fn the_model_is_that_of_the_latest_assistant_message_that_names_one() {
    let from = |id, role, model: Option<&'static str>| Message {
        role,
        model: model.map(Into::into),
        ..message(id)
    };
    let world = World::default().say(at_noon(), from(1, Role::User, Some("m-0")));
    assert_eq!(world.only().model, "");
    let world = world
        .say(later(2), from(2, Role::Assistant, Some("m-2")))
        .say(later(1), from(3, Role::Assistant, Some("m-1")))
        .say(later(3), from(4, Role::Assistant, None))
        .say(later(4), from(5, Role::Tool, Some("m-4")));
    assert_eq!(world.only().model, "m-2");
}

#[test]
fn the_annotation_with_the_greatest_instant_then_event_id_replaces_the_others_whole() {
    let world = World::default().say(at_noon(), message(1));
    assert_eq!(
        (world.only().topics, world.only().user_sentiment),
        (vec![], "unknown")
    );
    let world = world
        .annotate("e-2", "2024-01-01T14:00:00Z", &["b", "a"], Sentiment::Negative)
        .annotate("e-1", "2024-01-01T14:00:00Z", &["c"], Sentiment::Positive)
        .annotate("e-9", "2024-01-01T13:00:00Z", &["d"], Sentiment::Neutral);
    assert_eq!(
        (world.only().topics, world.only().user_sentiment),
        (vec!["b".into(), "a".into()], "negative")
    );
    let world = world.annotate("e-0", "2024-01-01T15:00:00Z", &[], Sentiment::Neutral);
    assert_eq!(
        (world.only().topics, world.only().user_sentiment),
        (vec![], "neutral")
    );
}

#[test]
fn annotations_of_one_instant_and_id_are_ordered_by_the_spelling_of_sentiment_and_by_topics() {
    let time = "2024-01-01T14:00:00Z";
    let world = World::default()
        .say(at_noon(), message(1))
        .annotate("e", time, &["z"], Sentiment::Positive)
        .annotate("e", time, &["a"], Sentiment::Positive)
        .annotate("e", time, &["zz"], Sentiment::Neutral)
        .annotate("e", time, &["zzz"], Sentiment::Negative);
    assert_eq!(
        (world.only().topics, world.only().user_sentiment),
        (vec!["z".into()], "positive")
    );
}

#[test]
fn transcripts_are_listed_newest_first_then_by_id() {
    let in_conversation = |id: u128| Message {
        conversation_id: Uuid::from_u128(id),
        ..message(id)
    };
    let world = World::default()
        .say(at_noon(), in_conversation(2))
        .say(at_noon(), in_conversation(1))
        .say(later(1), in_conversation(3));
    let ids: Vec<_> = world
        .listed(&TranscriptFilter::default())
        .iter()
        .map(|found| found.id.as_u128())
        .collect();
    assert_eq!(ids, [3, 1, 2]);
}

#[test]
fn transcripts_are_filtered_by_the_day_of_inserted_at_with_both_ends_included() {
    let world = World::default()
        .active("a", "m", "2024-01-01T23:59:59.999Z")
        .active("b", "m", "2024-01-02T00:00:00Z")
        .active("c", "m", "2024-01-02T23:59:59.999Z")
        .active("d", "m", "2024-01-03T00:00:00Z");
    let users = |start: Option<&str>, end: Option<&str>| {
        let day = |text: &str| text.parse().unwrap();
        let filter = TranscriptFilter {
            start: start.map(day),
            end: end.map(day),
            ..TranscriptFilter::default()
        };
        world
            .listed(&filter)
            .into_iter()
            .map(|found| found.user_id)
            .collect::<String>()
    };
    assert_eq!(users(Some("2024-01-02"), Some("2024-01-02")), "cb");
    assert_eq!(users(Some("2024-01-02"), None), "dcb");
    assert_eq!(users(None, Some("2024-01-02")), "cba");
    assert_eq!(users(Some("2024-01-03"), Some("2024-01-01")), "");
}

#[test]
fn topics_are_any_of_them_trimmed_and_with_case_ignored() {
    let world = World::default().say(at_noon(), message(1)).annotate(
        "e",
        "2024-01-01T14:00:00Z",
        &[" Straße \u{a0}", "ART"],
        Sentiment::Neutral,
    );
    let found = |topics: &[&str]| {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        world
            .listed(&TranscriptFilter {
                topics,
                ..TranscriptFilter::default()
            })
            .len()
    };
    assert_eq!(found(&["art"]), 1);
    assert_eq!(found(&["music", " STRAßE "]), 1);
    assert_eq!(found(&["music"]), 0);
    assert_eq!(found(&["ar"]), 0);
    assert_eq!(found(&[]), 1);
}
