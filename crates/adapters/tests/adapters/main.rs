//! Exports of other systems, and the events that they become.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod langfuse;
mod otel;
mod overlap;

use adapters::{AdaptError, Adapted, DEFAULT_OPERATIONS, Format, Mapping, Tags, adapt};
use events::{Body, Decoded, Event, Timestamp};
use serde_json::Value;
use uuid::Uuid;

/// Every event is older than this.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The mapping for an org, with every option at its default.
fn mapping(format: Format) -> Mapping {
    Mapping {
        format,
        org: Some("acme".to_owned()),
        org_attribute: None,
        mentor_attribute: None,
        operations: DEFAULT_OPERATIONS.map(str::to_owned).to_vec(),
        tags: Tags::Ignored,
    }
}

/// A file of exports.
fn file(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

/// All that became of the lines of a file.
fn adapted(name: &str, mapping: &Mapping) -> Adapted {
    let mut all = Adapted::default();
    for line in file(name).lines() {
        let adapted = adapt(line.as_bytes(), mapping).unwrap();
        all.events.extend(adapted.events);
        all.left_out.extend(adapted.left_out);
    }
    all
}

/// An event as `ingest` reads it.
fn decoded(event: &str) -> Event<'static> {
    match events::decode(std::iter::empty(), Some(event.as_bytes()), NOW).unwrap() {
        Decoded::Event(event) => event.into_owned(),
        other @ Decoded::Skipped { .. } => panic!("{other:?}"),
    }
}

/// Each event on a line, with a short name for each conversation.
fn summary(events: &[String]) -> Vec<String> {
    let mut conversations: Vec<Uuid> = Vec::new();
    let mut short = |id: Uuid| {
        let known = conversations.iter().position(|known| *known == id);
        known.unwrap_or_else(|| {
            conversations.push(id);
            conversations.len() - 1
        })
    };
    let lines = events.iter().map(|event| {
        let event = decoded(event);
        let (time, org) = (event.time.to_rfc3339(), &event.org);
        match event.body {
            Body::Message(message) => format!(
                "{time} {org} c{} {} {} {} {} {:?}",
                short(message.conversation_id),
                message.role.as_str(),
                message.user_id.as_deref().unwrap_or("-"),
                message.mentor_id.as_deref().unwrap_or("-"),
                message.model.as_deref().unwrap_or("-"),
                message.content
            ),
            Body::Annotation(annotation) => format!(
                "{time} {org} c{} {:?} {}",
                short(annotation.conversation_id),
                annotation.topics,
                annotation.user_sentiment.as_str()
            ),
            Body::Registration(_) | Body::Erasure(_) => panic!("no adapter knows these"),
        }
    });
    lines.collect()
}

fn field(event: &str, pointer: &str) -> Value {
    let event: Value = serde_json::from_str(event).unwrap();
    event.pointer(pointer).unwrap().clone()
}

fn reason(line: &Value, mapping: &Mapping) -> String {
    let adapted: Result<Adapted, AdaptError> = adapt(line.to_string().as_bytes(), mapping);
    adapted.unwrap_err().to_string()
}
