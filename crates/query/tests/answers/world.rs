//! A small world of a few events, and a service over it.

use std::time::Duration;

use aggregator::{Batch, Store};
use axum::{Router, body::Body, http::Request};
use events::{Annotation, Body as Fact, Event, Message, Registration, Role, Sentiment, Timestamp};
use query::{Settings, StoredKeys};
use serde_json::Value;
use testbed::ClickHouse;
use uuid::Uuid;

use crate::{
    engine,
    http::{ACME_KEY, ALL_KEY, Answer, send},
};

/// Events of acme.
#[derive(Default)]
pub(crate) struct World {
    batch: Batch,
    messages: u128,
}

/// The service over a world in a database of its own. idle is configured, but nothing ever happens there.
pub(crate) struct Service {
    router: Router,
    engine: ClickHouse,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

impl World {
    /// Somebody writes in a conversation.
    pub(crate) fn say(
        mut self,
        conversation: u128,
        time: &str,
        role: Role,
        user: &str,
        mentor: &str,
    ) -> Self {
        self.messages += 1;
        let number = self.messages;
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned().into());
        self.add(
            time,
            Fact::Message(Message {
                message_id: Uuid::from_u128(number),
                conversation_id: Uuid::from_u128(conversation),
                role,
                user_id: named(user),
                mentor_id: named(mentor),
                content: format!("message {number}").into(),
                model: (role == Role::Assistant).then(|| "model-1".into()),
            }),
        )
    }

    /// The latest message comes again with another text.
    pub(crate) fn again(self, conversation: u128, time: &str, content: &str) -> Self {
        let message_id = Uuid::from_u128(self.messages);
        self.add(
            time,
            Fact::Message(Message {
                message_id,
                conversation_id: Uuid::from_u128(conversation),
                role: Role::User,
                user_id: Some("ada".into()),
                mentor_id: None,
                content: content.to_owned().into(),
                model: None,
            }),
        )
    }

    /// A user writes in a conversation of their own.
    pub(crate) fn active(self, time: &str, user: &str, mentor: &str) -> Self {
        let conversation = 1_000 + self.messages;
        self.say(conversation, time, Role::User, user, mentor)
    }

    pub(crate) fn annotate(self, conversation: u128, topics: &[&str]) -> Self {
        let time = "2024-03-01T00:00:00Z";
        self.add(
            time,
            Fact::Annotation(Annotation {
                conversation_id: Uuid::from_u128(conversation),
                topics: topics.iter().map(|topic| (*topic).to_owned().into()).collect(),
                user_sentiment: Sentiment::Positive,
                annotated_at: at(time),
            }),
        )
    }

    pub(crate) fn register(self, time: &str, user: &str) -> Self {
        self.add(
            time,
            Fact::Registration(Registration {
                user_id: user.to_owned().into(),
                registered_at: at(time),
            }),
        )
    }

    fn add(mut self, time: &str, body: Fact<'static>) -> Self {
        self.batch.append(&Event {
            org: "acme".into(),
            id: format!("event-{}", self.batch.len()).into(),
            time: at(time),
            body,
        });
        self
    }

    /// Inserts the events and serves them.
    pub(crate) async fn serve(self, database: &str) -> Service {
        let (store, engine) = self.insert(database).await;
        Service::new(store, engine, Settings::default().query_timeout)
    }

    /// As [`World::serve`], by an engine whose every answer takes this long.
    pub(crate) async fn serve_slowly(
        self,
        database: &str,
        delay: Duration,
        query_timeout: Duration,
    ) -> Service {
        let (_, engine) = self.insert(database).await;
        let store = engine::slow_store(&engine, database, delay);
        Service::new(store, engine, query_timeout)
    }

    async fn insert(self, database: &str) -> (Store, ClickHouse) {
        let (store, engine) = engine::store(database).await;
        store
            .insert(&self.batch.seal(), || at("2030-01-01T00:00:00Z"))
            .await
            .unwrap();
        (store, engine)
    }
}

impl Service {
    fn new(store: Store, engine: ClickHouse, query_timeout: Duration) -> Self {
        let settings = Settings {
            query_timeout,
            prefix: "/dm".to_owned().try_into().unwrap(),
            keys: format!("{ACME_KEY}=acme;{ALL_KEY}=*").try_into().unwrap(),
            orgs: ["idle".to_owned()].into(),
            ..Settings::default()
        };
        Self {
            router: query::router(settings, StoredKeys::default(), store, Vec::new(), String::new),
            engine,
        }
    }

    /// A service over a store in which nothing happened.
    pub(crate) fn idle(store: Store, engine: ClickHouse) -> Self {
        Self::new(store, engine, Settings::default().query_timeout)
    }

    /// Its engine, for another.
    pub(crate) fn end(self) -> ClickHouse {
        self.engine
    }

    /// Sends a request with the key of all organisations.
    pub(crate) async fn send(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, "accept", "application/problem+json, */*")
            .await
    }

    /// The same by whoever has an answer with a tag.
    pub(crate) async fn ask_unless(&self, path: &str, tag: &str) -> Answer {
        self.ask_with("GET", path, "if-none-match", tag).await
    }

    /// The same by whoever takes some media types.
    pub(crate) async fn ask_for(&self, media_types: &str, path: &str) -> Answer {
        self.ask_with("GET", path, "accept", media_types).await
    }

    async fn ask_with(&self, method: &str, path: &str, header: &str, value: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Api-Token {ALL_KEY}"))
            .header(header, value);
        send(&self.router, request.body(Body::empty()).unwrap()).await
    }

    /// What an endpoint answers about acme, which must be well.
    pub(crate) async fn ask(&self, path_and_query: &str) -> Value {
        let path = format!("/api/ai-analytics/orgs/acme/users/u/{path_and_query}");
        let answer = self.send("GET", &path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path_and_query}: {}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{path_and_query}"
        );
        serde_json::from_str(&answer.body).unwrap()
    }
}
