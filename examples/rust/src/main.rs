//! Publishes chat events to Rollcall: two users, a conversation of one of them with a mentor, and what it was about.

use std::{env, time::Duration};

use anyhow::{Context, Error, Result};
use chrono::{DateTime, Utc};
use cloudevents::{EventBuilder, EventBuilderV10};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

const TOPIC: &str = "chat.events";
const ORG: &str = "acme";
const CONVERSATION: &str = "0855d97f-6033-411a-b1ae-d8cb596c412a";
const MENTOR: &str = "euclid";

struct Publisher(FutureProducer);

impl Publisher {
    fn new(servers: &str) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("delivery.timeout.ms", "30000")
            .create()?;
        Ok(Self(producer))
    }

    /// Returns once all replicas in sync have the event. Its id and time come from what happened, so that sending it
    /// again is no new event.
    async fn publish(
        &self,
        kind: &str,
        id: &str,
        time: DateTime<Utc>,
        user_id: &str,
        data: Value,
    ) -> Result<()> {
        let event = EventBuilderV10::new()
            .id(id)
            .source("/tutor")
            .ty(kind)
            .time(time)
            .extension("org", ORG)
            .data("application/json", data)
            .build()?;
        let content_type = Header {
            key: "content-type",
            value: Some("application/cloudevents+json"),
        };
        let (key, value) = (format!("{ORG}:{user_id}"), serde_json::to_vec(&event)?);
        let record = FutureRecord::to(TOPIC)
            .key(&key)
            .payload(&value)
            .headers(OwnedHeaders::new().insert(content_type));
        let delivery = self.0.send(record, Duration::from_secs(30)).await;
        delivery
            .map_err(|(error, _)| Error::new(error))
            .with_context(|| format!("event {id}"))?;
        Ok(())
    }

    async fn user_registered(&self, user_id: &str, time: DateTime<Utc>) -> Result<()> {
        let data = json!({ "user_id": user_id, "registered_at": time });
        let id = format!("registered:{user_id}");
        self.publish("chat.user.registered.v1", &id, time, user_id, data)
            .await
    }

    async fn message_created(
        &self,
        id: &str,
        time: DateTime<Utc>,
        user_id: &str,
        mut data: Value,
    ) -> Result<()> {
        data["message_id"] = id.into();
        data["conversation_id"] = CONVERSATION.into();
        data["user_id"] = user_id.into();
        data["mentor_id"] = MENTOR.into();
        self.publish("chat.message.created.v1", id, time, user_id, data)
            .await
    }

    async fn conversation_annotated(
        &self,
        time: DateTime<Utc>,
        user_id: &str,
        topics: &[&str],
        sentiment: &str,
    ) -> Result<()> {
        let topics: Vec<Value> = topics.iter().map(|name| json!({ "name": name })).collect();
        let data = json!({
            "conversation_id": CONVERSATION,
            "topics": topics,
            "user_sentiment": sentiment,
            "annotated_at": time,
        });
        let id = format!("annotated:{CONVERSATION}:1");
        self.publish("chat.conversation.annotated.v1", &id, time, user_id, data)
            .await
    }
}

fn at(time: &str) -> Result<DateTime<Utc>> {
    Ok(format!("2025-03-{time}Z").parse()?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let servers = env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap_or_else(|_| "localhost:9092".to_owned());
    let publisher = Publisher::new(&servers)?;
    publisher.user_registered("ada", at("01T08:00:00")?).await?;
    publisher.user_registered("emmy", at("03T09:00:00")?).await?;
    let (question, answer) = (
        "6fe84ac9-a1e4-4e1f-a0c4-78680fcadee1",
        "c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02",
    );
    let said = json!({ "role": "user", "content": "Is (ℤ, +) a group?" });
    publisher
        .message_created(question, at("03T09:30:00.120")?, "ada", said)
        .await?;
    let said = json!({ "role": "assistant", "content": "Yes, an abelian one.", "model": "tutor-1" });
    publisher
        .message_created(answer, at("03T09:30:04.500")?, "ada", said)
        .await?;
    let topics = ["group theory", "algebra"];
    publisher
        .conversation_annotated(at("03T10:00:00")?, "ada", &topics, "positive")
        .await
}
