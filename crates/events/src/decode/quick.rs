//! The common record, read in one pass: structured mode, with every member of the type that it must have.
//!
//! Anything unusual or wrong returns `None`, and the thorough reading decides. Both give the same event, which the
//! tests check.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::de::{Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::data::{self, Kind};
use super::envelope;
use super::json::Member;
use crate::{Annotation, Body, Erasure, Event, Message, Registration, Timestamp};

/// The event that the value of a record in structured mode holds, which was read at `now`.
pub(super) fn event(value: &[u8], now: Timestamp) -> Option<Event<'_>> {
    let wire: Object<WireEvent<'_>> = serde_json::from_str(str::from_utf8(value).ok()?).ok()?;
    wire.0.event(now)
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a JSON object holds: a struct alone would take an array of its fields too.
struct Object<T>(T);

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct WireEvent<'a> {
    specversion: Text<'a>,
    #[serde(rename = "type")]
    event_type: Text<'a>,
    id: Text<'a>,
    source: Text<'a>,
    time: Text<'a>,
    org: Text<'a>,
    data: Object<WireData<'a>>,
    data_base64: Option<IgnoredAny>,
}

/// The members of all kinds of data: `type` may come after them.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct WireData<'a> {
    message_id: Option<Text<'a>>,
    conversation_id: Option<Text<'a>>,
    role: Option<Text<'a>>,
    user_id: Member<'a>,
    mentor_id: Member<'a>,
    content: Option<Text<'a>>,
    model: Option<Text<'a>>,
    topics: Member<'a>,
    user_sentiment: Option<Text<'a>>,
    annotated_at: Option<Text<'a>>,
    registered_at: Option<Text<'a>>,
    erased_at: Option<Text<'a>>,
}

impl<'a> WireEvent<'a> {
    fn event(self, now: Timestamp) -> Option<Event<'a>> {
        let usual = self.specversion.0 == "1.0"
            && self.data_base64.is_none()
            && !self.id.0.is_empty()
            && !self.source.0.is_empty();
        if !usual {
            return None;
        }
        let kind = Kind::of(&self.event_type.0)?;
        Some(Event {
            time: data::timestamp(envelope::TIME, &self.time.0, now).ok()?,
            org: envelope::org(self.org.0).ok()?,
            id: self.id.0,
            body: self.data.0.body(kind, now)?,
        })
    }
}

impl<'a> WireData<'a> {
    fn body(self, kind: Kind, now: Timestamp) -> Option<Body<'a>> {
        Some(match kind {
            Kind::Message => Body::Message(Message {
                message_id: data::parse_uuid(&self.message_id?.0)?,
                conversation_id: data::parse_uuid(&self.conversation_id?.0)?,
                role: self.role?.0.parse().ok()?,
                user_id: data::speaker(self.user_id).ok()?,
                mentor_id: data::mentor(self.mentor_id).ok()?,
                content: self.content.map(|text| text.0).unwrap_or_default(),
                model: self.model.map(|text| text.0).filter(|model| !model.is_empty()),
            }),
            Kind::Annotation => Body::Annotation(Annotation {
                conversation_id: data::parse_uuid(&self.conversation_id?.0)?,
                topics: data::topics(self.topics).ok()?,
                user_sentiment: self.user_sentiment?.0.parse().ok()?,
                annotated_at: data::timestamp(data::ANNOTATED_AT, &self.annotated_at?.0, now).ok()?,
            }),
            Kind::Registration => Body::Registration(Registration {
                user_id: data::user(self.user_id).ok()?,
                registered_at: data::timestamp(data::REGISTERED_AT, &self.registered_at?.0, now).ok()?,
            }),
            Kind::Erasure => Body::Erasure(Erasure {
                user_id: data::user(self.user_id).ok()?,
                erased_at: data::timestamp(data::ERASED_AT, &self.erased_at?.0, now).ok()?,
            }),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(OnlyMaps(deserializer)).map(Self)
    }
}

/// A deserializer that accepts only maps, whatever is asked for.
struct OnlyMaps<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for OnlyMaps<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
