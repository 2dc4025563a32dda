//! The sentences of the contract on users: who is active, who is new, who is a veteran.

use events::{Grain, Message, NewUsersBy, Role, Sentiment, TranscriptFilter};

use crate::world::{World, at, at_noon, message, range};

#[test]
fn a_user_is_active_where_a_message_of_role_user_by_them_falls() {
    let world = World::default()
        .active("ada", "euclid", "2024-01-01T00:00:00Z")
        .active("ada", "plato", "2024-01-01T23:59:59.999Z")
        .active("bob", "euclid", "2024-01-02T00:00:00Z")
        .say(
            at("2024-01-02T01:00:00Z"),
            Message {
                role: Role::Assistant,
                ..message(7)
            },
        );
    assert_eq!(world.usage("2023-12-31", "2024-01-03", Grain::Day), [0, 1, 1, 0]);
    assert_eq!(
        world
            .usage("2024-01-01", "2024-01-01", Grain::Hour)
            .iter()
            .sum::<u64>(),
        2
    );
    assert_eq!(world.usage("2024-01-01", "2024-01-02", Grain::Week), [2]);
}

#[test]
fn anonymous_messages_make_nobody_active() {
    let world = World::default().say(
        at_noon(),
        Message {
            user_id: None,
            ..message(1)
        },
    );
    assert_eq!(world.usage("2024-01-01", "2024-01-01", Grain::Day), [0]);
    let by = NewUsersBy::Registration;
    assert_eq!(
        world.cohorts(("2024-01-01", "2024-01-01"), None, by),
        (vec![0], vec![0])
    );
}

#[test]
fn a_message_to_no_mentor_makes_its_user_active_but_with_none() {
    let world = World::default().say(
        at_noon(),
        Message {
            mentor_id: None,
            ..message(1)
        },
    );
    assert_eq!(world.usage("2024-01-01", "2024-01-01", Grain::Day), [1]);
    let of = |mentor| world.cohorts(("2024-01-01", "2024-01-01"), mentor, NewUsersBy::Activity);
    assert_eq!(of(None), (vec![1], vec![0]));
    assert_eq!(of(Some("euclid")), (vec![0], vec![0]));
}

#[test]
fn the_earliest_registration_counts_before_any_message() {
    let days = ("2024-01-01", "2024-01-03");
    let world = World::default()
        .active("ada", "euclid", "2024-01-01T05:00:00Z")
        .register("ada", "2024-01-03T00:00:00Z")
        .register("ada", "2024-01-02T00:00:00Z");
    assert_eq!(world.cohorts(days, None, NewUsersBy::Registration).0, [0, 1, 0]);
}

#[test]
fn with_no_registration_the_first_user_message_counts() {
    let assistant = Message {
        role: Role::Assistant,
        user_id: Some("bob".into()),
        ..message(7)
    };
    let world = World::default()
        .active("ada", "plato", "2024-01-02T05:00:00Z")
        .active("ada", "euclid", "2024-01-01T05:00:00Z")
        .say(at("2024-01-01T06:00:00Z"), assistant)
        .active("bob", "euclid", "2024-01-03T05:00:00Z");
    assert_eq!(
        world
            .cohorts(("2024-01-01", "2024-01-03"), None, NewUsersBy::Registration)
            .0,
        [1, 0, 1]
    );
    assert_eq!(
        world.cohorts(("2024-01-02", "2024-01-03"), None, NewUsersBy::Registration),
        (vec![0, 1], vec![1, 0])
    );
    // The first message counts, whichever mentor it was to.
    assert_eq!(
        world.cohorts(
            ("2024-01-02", "2024-01-03"),
            Some("plato"),
            NewUsersBy::Registration
        ),
        (vec![0, 0], vec![1, 0])
    );
}

#[test]
fn an_org_exists_once_any_event_of_it_arrived() {
    assert!(!World::default().0.org_exists("acme"));
    assert!(World::default().say(at_noon(), message(1)).0.org_exists("acme"));
    assert!(
        World::default()
            .register("ada", "2024-01-01T00:00:00Z")
            .0
            .org_exists("acme")
    );
    let annotated = World::default().annotate("a", "2024-01-01T00:00:00Z", &[], Sentiment::Neutral);
    assert!(annotated.0.org_exists("acme") && !annotated.0.org_exists("zeta"));
    assert!(
        annotated
            .0
            .transcripts("zeta", &TranscriptFilter::default())
            .is_empty()
    );
    assert_eq!(
        annotated
            .0
            .usage_summary("zeta", range("2024-01-01", "2024-01-02"), Grain::Day),
        [0, 0]
    );
}

#[test]
fn a_week_cut_by_the_range_holds_only_what_lies_inside() {
    // From a Wednesday to the Tuesday after it.
    let world = World::default()
        .active("ada", "euclid", "2024-01-02T23:59:59.999Z")
        .active("bob", "euclid", "2024-01-07T23:59:59.999Z")
        .active("cy", "euclid", "2024-01-08T00:00:00Z")
        .active("dee", "euclid", "2024-01-10T00:00:00Z");
    assert_eq!(world.usage("2024-01-03", "2024-01-09", Grain::Week), [1, 1]);
    let weeks = world.0.cohorts(
        "acme",
        range("2024-01-03", "2024-01-09"),
        Grain::Week,
        None,
        NewUsersBy::Registration,
    );
    let weeks: Vec<_> = weeks
        .iter()
        .map(|week| (week.period.start.to_rfc3339_seconds(), week.new_users))
        .collect();
    assert_eq!(
        weeks,
        [
            ("2024-01-01T00:00:00Z".to_owned(), 1),
            ("2024-01-08T00:00:00Z".to_owned(), 1)
        ]
    );
}

#[test]
fn new_users_are_those_whose_registration_falls_in_the_period_active_or_not() {
    let world = World::default()
        .register("idle", "2024-01-02T08:00:00Z")
        .register("busy", "2024-01-02T09:00:00Z")
        .active("busy", "euclid", "2024-01-01T05:00:00Z")
        .active("busy", "euclid", "2024-01-03T05:00:00Z")
        .register("old", "2023-12-31T23:59:59.999Z")
        .active("old", "plato", "2024-01-03T05:00:01Z");
    let days = ("2024-01-01", "2024-01-03");
    assert_eq!(
        world.cohorts(days, None, NewUsersBy::Registration),
        (vec![0, 2, 0], vec![0, 0, 1])
    );
    assert_eq!(
        world.cohorts(days, Some("euclid"), NewUsersBy::Registration),
        (vec![0, 1, 0], vec![0, 0, 0])
    );
    assert_eq!(
        world.cohorts(days, Some("plato"), NewUsersBy::Registration),
        (vec![0, 0, 0], vec![0, 0, 1])
    );
    assert_eq!(
        world.cohorts(days, Some("nobody"), NewUsersBy::Registration),
        (vec![0, 0, 0], vec![0, 0, 0])
    );
    assert_eq!(
        world.cohorts(days, None, NewUsersBy::Activity),
        (vec![1, 0, 1], vec![0, 0, 1])
    );
    assert_eq!(
        world.cohorts(days, Some("plato"), NewUsersBy::Activity),
        (vec![0, 0, 0], vec![0, 0, 1])
    );
}

#[test]
fn with_a_mentor_a_new_user_must_be_active_with_it_within_the_range() {
    let world = World::default().register("ada", "2024-01-02T08:00:00Z").active(
        "ada",
        "euclid",
        "2024-01-04T00:00:00Z",
    );
    let by = NewUsersBy::Registration;
    assert_eq!(
        world.cohorts(("2024-01-01", "2024-01-03"), Some("euclid"), by).0,
        [0, 0, 0]
    );
    assert_eq!(
        world.cohorts(("2024-01-01", "2024-01-04"), Some("euclid"), by).0,
        [0, 1, 0, 0]
    );
}

#[test]
fn who_registers_as_the_range_begins_is_new_and_a_millisecond_before_it_a_veteran() {
    let world = World::default()
        .register("new", "2024-01-01T00:00:00Z")
        .register("old", "2023-12-31T23:59:59.999Z")
        .register("late", "2024-01-03T00:00:00Z")
        .active("new", "euclid", "2024-01-02T05:00:00Z")
        .active("old", "euclid", "2024-01-02T05:00:01Z")
        .active("late", "euclid", "2024-01-02T05:00:02Z");
    let days = ("2024-01-01", "2024-01-02");
    assert_eq!(
        world.cohorts(days, None, NewUsersBy::Registration),
        (vec![1, 0], vec![0, 1])
    );
    assert_eq!(
        world.cohorts(days, None, NewUsersBy::Activity),
        (vec![0, 1], vec![0, 1])
    );
}
