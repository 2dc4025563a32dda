//! An event as the record that a producer would send: structured CloudEvents JSON and its key.
//!
//! Written by hand for speed, so that the reader and not the load limits a benchmark. Only content may hold
//! what JSON escapes.

use events::{Body, Event};
use uuid::Uuid;

/// A record to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// The record's key: `{org}:{user_id}`.
    pub key: String,
    /// The record's value: a CloudEvent in structured mode.
    pub json: String,
}

/// Writes an event. Its record is keyed by `user`, which an annotation does not name.
pub(crate) fn publish(event: &Event<'_>, user: &str) -> Published {
    let key = [&event.org, ":", user].concat();
    let kind = match event.body {
        Body::Message(_) => "message.created",
        Body::Annotation(_) => "conversation.annotated",
        Body::Registration(_) => "user.registered",
        Body::Erasure(_) => "user.erased",
    };
    let mut json = Json(String::with_capacity(1024));
    json.raw(r#"{"specversion":"1.0","id":""#).raw(&event.id);
    json.raw(r#"","source":"/rollcall/made-up","type":"chat."#)
        .raw(kind);
    json.raw(r#".v1","time":""#).raw(&event.time.to_rfc3339());
    json.raw(r#"","org":""#).raw(&event.org);
    json.raw(r#"","partitionkey":""#).raw(&key);
    json.raw(r#"","datacontenttype":"application/json","data":{"#);
    json.body(&event.body).raw("}}");
    Published { key, json: json.0 }
}

/// JSON as it is written.
struct Json(String);

impl Json {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self
    }

    fn uuid(&mut self, id: Uuid) -> &mut Self {
        self.raw(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    /// Producers whose users are numbered send them as JSON integers.
    fn user(&mut self, user: &str) -> &mut Self {
        match user.parse::<u32>() {
            Ok(_) => self.raw(r#""user_id":"#).raw(user),
            Err(_) => self.raw(r#""user_id":""#).raw(user).raw("\""),
        }
    }

    fn escaped(&mut self, mut text: &str) -> &mut Self {
        let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..b' ');
        while let Some(place) = text.bytes().position(special) {
            let (plain, rest) = text.split_at(place);
            let (character, rest) = rest.split_at(1);
            self.raw(plain).raw(match character {
                "\n" => "\\n",
                "\"" => "\\\"",
                "\\" => "\\\\",
                _ => " ",
            });
            text = rest;
        }
        self.raw(text)
    }

    fn body(&mut self, body: &Body<'_>) -> &mut Self {
        match body {
            Body::Message(message) => {
                self.raw(r#""message_id":""#).uuid(message.message_id);
                self.raw(r#"","conversation_id":""#).uuid(message.conversation_id);
                self.raw(r#"","role":""#).raw(message.role.as_str()).raw(r#"","#);
                if let Some(user) = &message.user_id {
                    self.user(user).raw(",");
                }
                if let Some(mentor) = &message.mentor_id {
                    self.raw(r#""mentor_id":""#).raw(mentor).raw(r#"","#);
                }
                if let Some(model) = &message.model {
                    self.raw(r#""model":""#).raw(model).raw(r#"","#);
                }
                self.raw(r#""content":""#).escaped(&message.content).raw("\"")
            }
            Body::Annotation(annotation) => {
                self.raw(r#""conversation_id":""#)
                    .uuid(annotation.conversation_id);
                self.raw(r#"","topics":["#);
                for (index, name) in annotation.topics.iter().enumerate() {
                    self.raw(if index == 0 { "" } else { "," })
                        .raw(r#"{"name":""#)
                        .raw(name)
                        .raw(r#""}"#);
                }
                self.raw(r#"],"user_sentiment":""#)
                    .raw(annotation.user_sentiment.as_str());
                self.raw(r#"","annotated_at":""#)
                    .raw(&annotation.annotated_at.to_rfc3339())
                    .raw("\"")
            }
            Body::Registration(registration) => {
                self.user(&registration.user_id);
                self.raw(r#","registered_at":""#)
                    .raw(&registration.registered_at.to_rfc3339())
                    .raw("\"")
            }
            Body::Erasure(erasure) => {
                self.user(&erasure.user_id);
                self.raw(r#","erased_at":""#)
                    .raw(&erasure.erased_at.to_rfc3339())
                    .raw("\"")
            }
        }
    }
}
