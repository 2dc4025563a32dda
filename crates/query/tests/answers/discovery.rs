//! `mentors`, `topics`, and the messages of a conversation.

use aggregator::Report;
use events::{Role, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    engine,
    world::{Service, World},
};

fn messages_of(conversation: u128) -> String {
    format!("conversations/{}/messages", Uuid::from_u128(conversation))
}

#[tokio::test]
async fn mentors_and_topics_are_listed_with_how_many_conversations_began() {
    let service = World::default()
        .say(1, "2024-01-01T10:00:00Z", Role::User, "ada", "euclid")
        .say(1, "2024-01-02T10:00:00Z", Role::User, "ada", "plato")
        .say(2, "2024-01-02T10:00:00Z", Role::User, "ada", "euclid")
        .say(3, "2024-01-03T10:00:00Z", Role::User, "ada", "=plato")
        .say(4, "2024-01-03T10:00:00Z", Role::User, "ada", "")
        .annotate(1, &["Geometry", " geometry", "Caves"])
        .annotate(2, &["GEOMETRY"])
        .annotate(3, &[])
        .serve("discovery_counts")
        .await;
    let mentor = |id: &str, count: u64| json!({"mentor_id": id, "conversation_count": count});
    let topic = |name: &str, count: u64| json!({"name": name, "conversation_count": count});
    for (path, expected) in [
        ("mentors", vec![mentor("euclid", 2), mentor("=plato", 1)]),
        ("mentors/?end_date=2024-01-01", vec![mentor("euclid", 1)]),
        (
            "mentors/?start_date=2024-01-02&end_date=2024-01-03",
            vec![mentor("=plato", 1), mentor("euclid", 1)],
        ),
        ("mentors/?start_date=2024-02-01", vec![]),
        ("topics/", vec![topic("geometry", 2), topic("caves", 1)]),
        ("topics?startDate=2024-01-02", vec![topic("geometry", 1)]),
        ("topics/?end_date=0001-01-01", vec![]),
    ] {
        assert_eq!(service.ask(path).await, Value::from(expected), "{path}");
    }
    let path = "/api/ai-analytics/orgs/acme/users/u/mentors/?export=csv";
    let exported = service.send("GET", path).await;
    assert_eq!(
        exported.body,
        "mentor_id,conversation_count\r\neuclid,2\r\n'=plato,1\r\n"
    );
}

#[tokio::test]
async fn the_messages_of_a_conversation_are_listed_in_the_order_of_time() {
    let service = World::default()
        .say(1, "2024-01-01T10:00:02Z", Role::Assistant, "ada", "euclid")
        .say(2, "2024-01-01T10:00:00Z", Role::User, "bob", "euclid")
        .say(1, "2024-01-01T10:00:01.5Z", Role::User, "ada", "euclid")
        .say(1, "2024-01-02T10:00:00Z", Role::System, "", "")
        .serve("discovery_messages")
        .await;
    let message = |id: u128, role: &str, user: &str, mentor: &str, model: &str, at: &str| {
        json!({
            "id": Uuid::from_u128(id).to_string(),
            "role": role,
            "user_id": user,
            "mentor_id": mentor,
            "content": format!("message {id}"),
            "model": model,
            "created_at": at,
        })
    };
    assert_eq!(
        service.ask(&messages_of(1)).await,
        json!([
            message(3, "user", "ada", "euclid", "", "2024-01-01T10:00:01.500Z"),
            message(
                1,
                "assistant",
                "ada",
                "euclid",
                "model-1",
                "2024-01-01T10:00:02.000Z"
            ),
            message(4, "system", "", "", "", "2024-01-02T10:00:00.000Z"),
        ])
    );
    for nowhere in [
        &messages_of(9),
        "conversations/x/messages",
        "conversations/%ff/messages",
    ] {
        let path = format!("/dm/api/ai-analytics/orgs/acme/users/u/{nowhere}/");
        let answer = service.send("GET", &path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        assert_eq!(
            answer.body, r#"{"detail":"conversation does not exist"}"#,
            "{path}"
        );
    }
    // That of another organisation is none.
    let path = format!("/api/ai-analytics/orgs/idle/users/u/{}/", messages_of(1));
    assert_eq!(service.send("GET", &path).await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_long_conversation_is_listed_whole() {
    let mut world = World::default();
    for second in 0..3_100_u128 {
        let time = format!(
            "2024-01-01T{:02}:{:02}:{:02}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        );
        world = world.say(1, &time, Role::User, "ada", "euclid");
    }
    let service = world.serve("discovery_long").await;
    let listed = service.ask(&messages_of(1)).await;
    let ids = listed.as_array().unwrap().iter().map(|message| {
        let id: Uuid = message["id"].as_str().unwrap().parse().unwrap();
        id.as_u128()
    });
    assert!(ids.eq(1..=3_100));
}

#[tokio::test]
async fn of_several_records_of_a_message_the_latest_is_shown() {
    let mut world = World::default().say(1, "2024-01-01T10:00:00Z", Role::User, "ada", "euclid");
    world = world.again(1, "2024-01-01T10:00:01Z", "edited");
    let service = world.serve("discovery_edited").await;
    let listed = service.ask(&messages_of(1)).await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["content"], "edited");
    assert_eq!(listed[0]["created_at"], "2024-01-01T10:00:01.000Z");
}

#[tokio::test]
async fn how_far_ingestion_is_comes_with_each_answer_and_by_itself() {
    let (store, engine) = engine::store("discovery_progress").await;
    let service = Service::idle(store.clone(), engine);
    let path = "/api/ai-analytics/orgs/idle/users/u/pipeline/";
    let before = service.send("GET", path).await;
    let nothing = json!({"newest_event_at": null, "lag": 0, "rejected": 0, "as_of": null});
    assert_eq!(serde_json::from_str::<Value>(&before.body).unwrap(), nothing);
    assert_eq!(before.header("x-newest-event-age"), "");

    let at = |text| Timestamp::parse_rfc3339(text).unwrap();
    let report = Report {
        run: 1,
        as_of: at("2024-01-01T10:00:05Z"),
        newest_event_at: Some(at("2024-01-01T10:00:00Z")),
        lag: 7,
        rejected: 2,
    };
    store.report(report).await.unwrap();
    let of_another = Report {
        run: 2,
        lag: 1,
        newest_event_at: None,
        ..report
    };
    store.report(of_another).await.unwrap();
    // What comes later than it was reported is not what holds.
    let earlier = Report {
        as_of: at("2024-01-01T10:00:01Z"),
        lag: 100,
        ..report
    };
    store.report(earlier).await.unwrap();
    let expected = json!({
        "newest_event_at": "2024-01-01T10:00:00.000Z",
        "lag": 8,
        "rejected": 4,
        "as_of": "2024-01-01T10:00:05.000Z",
    });
    let service = Service::idle(store, service.end());
    let after = service.send("GET", path).await;
    assert_eq!(serde_json::from_str::<Value>(&after.body).unwrap(), expected);
    let usage =
        "/api/ai-analytics/orgs/idle/users/u/usage-summary/?start_date=2024-01-01&end_date=2024-01-01";
    let answer = service.send("GET", usage).await;
    let age: u64 = answer.header("x-newest-event-age").parse().unwrap();
    assert!(age > 365 * 24 * 3_600, "{age}");
}
