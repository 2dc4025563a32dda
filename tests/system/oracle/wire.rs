//! Events as records, in any of their equivalent spellings.

use chrono::DateTime;
use events::{Body, Event, Timestamp};
use serde_json::{Map, Value, json};

use crate::records::Record;

/// How an event is spelled: one bit for each choice.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spelling(pub(crate) u16);

impl Spelling {
    pub(crate) const BINARY: u16 = 1;
    const PREFIXED_TYPE: u16 = 1 << 1;
    const NUMBERS_AS_NUMBERS: u16 = 1 << 2;
    const NULL_FOR_NONE: u16 = 1 << 3;
    const LOCAL_TIME: u16 = 1 << 4;
    const MICROSECONDS: u16 = 1 << 5;
    const NO_CONTENT_TYPE: u16 = 1 << 6;
    const UNKNOWN_FIELDS: u16 = 1 << 7;
    const UPPERCASE_UUIDS: u16 = 1 << 8;

    fn has(self, choice: u16) -> bool {
        self.0 & choice != 0
    }

    /// An instant; finer digits than milliseconds must be cut, an offset must be taken into account.
    fn instant(self, at: Timestamp) -> String {
        // Instants whose year has four digits with any offset.
        let common = (0..4_000_000_000_000).contains(&at.as_millis());
        let (millis, zone) = if common && self.has(Self::LOCAL_TIME) {
            (at.as_millis() + 19_800_000, "+05:30")
        } else {
            (at.as_millis(), "Z")
        };
        let text = DateTime::from_timestamp_millis(millis).unwrap();
        let finer = if self.has(Self::MICROSECONDS) { "999" } else { "" };
        format!("{}{finer}{zone}", text.format("%Y-%m-%dT%H:%M:%S%.3f"))
    }

    /// An id, as an integer where it is one and the spelling says so.
    fn id(self, id: &str) -> Value {
        match id.parse::<u64>() {
            Ok(number) if self.has(Self::NUMBERS_AS_NUMBERS) => json!(number),
            _ => json!(id),
        }
    }

    fn uuid(self, id: uuid::Uuid) -> Value {
        if self.has(Self::UPPERCASE_UUIDS) {
            json!(id.to_string().to_uppercase())
        } else {
            json!(id.to_string())
        }
    }

    /// Adds a field, or null, or nothing.
    fn optional(self, data: &mut Map<String, Value>, name: &str, value: Option<Value>) {
        if let Some(value) = value.or(self.has(Self::NULL_FOR_NONE).then_some(Value::Null)) {
            data.insert(name.to_owned(), value);
        }
    }

    fn data(self, body: &Body<'_>) -> Value {
        let mut data = Map::new();
        match body {
            Body::Message(message) => {
                data.insert("message_id".to_owned(), self.uuid(message.message_id));
                data.insert("conversation_id".to_owned(), self.uuid(message.conversation_id));
                data.insert("role".to_owned(), json!(message.role.as_str()));
                self.optional(
                    &mut data,
                    "user_id",
                    message.user_id.as_deref().map(|id| self.id(id)),
                );
                self.optional(
                    &mut data,
                    "mentor_id",
                    message.mentor_id.as_deref().map(|id| self.id(id)),
                );
                let content = Some(message.content.as_ref()).filter(|content| !content.is_empty());
                self.optional(&mut data, "content", content.map(|content| json!(content)));
                self.optional(
                    &mut data,
                    "model",
                    message.model.as_deref().map(|model| json!(model)),
                );
            }
            Body::Annotation(annotation) => {
                let topics = annotation.topics.iter().map(|name| json!({ "name": name }));
                data.insert(
                    "conversation_id".to_owned(),
                    self.uuid(annotation.conversation_id),
                );
                data.insert("topics".to_owned(), topics.collect());
                data.insert(
                    "user_sentiment".to_owned(),
                    json!(annotation.user_sentiment.as_str()),
                );
                data.insert(
                    "annotated_at".to_owned(),
                    json!(self.instant(annotation.annotated_at)),
                );
            }
            Body::Registration(registration) => {
                data.insert("user_id".to_owned(), self.id(&registration.user_id));
                data.insert(
                    "registered_at".to_owned(),
                    json!(self.instant(registration.registered_at)),
                );
            }
            Body::Erasure(erasure) => {
                data.insert("user_id".to_owned(), self.id(&erasure.user_id));
                data.insert("erased_at".to_owned(), json!(self.instant(erasure.erased_at)));
            }
        }
        if self.has(Self::UNKNOWN_FIELDS) {
            data.insert("mood".to_owned(), json!({ "role": ["no", null] }));
        }
        Value::Object(data)
    }
}

/// The event as a record.
pub(crate) fn record(event: &Event<'_>, spelling: Spelling) -> Record {
    let kind = match event.body {
        Body::Message(_) => "chat.message.created.v1",
        Body::Annotation(_) => "chat.conversation.annotated.v1",
        Body::Registration(_) => "chat.user.registered.v1",
        Body::Erasure(_) => "chat.user.erased.v1",
    };
    let prefix = if spelling.has(Spelling::PREFIXED_TYPE) {
        "com.acme."
    } else {
        ""
    };
    let attributes = [
        ("specversion", "1.0".to_owned()),
        ("id", event.id.clone().into_owned()),
        ("source", "/test".to_owned()),
        ("type", format!("{prefix}{kind}")),
        ("time", spelling.instant(event.time)),
        ("org", event.org.clone().into_owned()),
    ];
    let data = spelling.data(&event.body);
    if spelling.has(Spelling::BINARY) {
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| (format!("ce_{name}"), Some(value.into_bytes())));
        return Record {
            key: Some(format!("{}:someone", event.org).into_bytes()),
            headers: attributes.collect(),
            value: Some(data.to_string().into_bytes()),
        };
    }
    let mut whole: Map<String, Value> = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    whole.insert("data".to_owned(), data);
    let mut record = Record::structured(Value::Object(whole).to_string());
    if spelling.has(Spelling::NO_CONTENT_TYPE) {
        record.headers.clear();
    }
    record
}
