//! The JSON Schema of each type of event, made from what decoding reads.
//!
//! A schema describes the form that producers should send: structured mode, with `data` as an object. Decoding also takes data as
//! a string or as base64. What a schema cannot say is in its descriptions: that an instant is within bounds of the clock, and
//! that a number is written without a fraction.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::data::{Kind, NAME_LIMIT, WireAnnotation, WireErasure, WireMessage, WireRegistration};
use super::envelope::ORG_LIMIT;

/// The JSON Schema (draft 2020-12) of each type of event, by the type's name.
pub fn schemas() -> [(&'static str, Value); 4] {
    Kind::ALL.map(|(name, kind)| (name, schema(name, kind)))
}

fn schema(name: &str, kind: Kind) -> Value {
    let mut generator = SchemaGenerator::default();
    let data = match kind {
        Kind::Message => generator.subschema_for::<WireMessage<'_>>(),
        Kind::Annotation => generator.subschema_for::<WireAnnotation<'_>>(),
        Kind::Registration => generator.subschema_for::<WireRegistration<'_>>(),
        Kind::Erasure => generator.subschema_for::<WireErasure<'_>>(),
    };
    let text = |about: &str| json!({ "description": about, "type": "string", "minLength": 1 });
    let prefixed = format!(r"^([\s\S]+\.)?{}$", name.replace('.', r"\."));
    json!({
        "$schema": generator.settings().meta_schema,
        "title": name,
        "description": "A chat event: a CloudEvent in structured mode. In binary mode the value of the record is its `data` alone.",
        "type": "object",
        "properties": {
            "specversion": { "description": "The version of CloudEvents.", "const": "1.0" },
            "type": {
                "description": "What happened; any dotted prefix may stand before it.",
                "type": "string",
                "pattern": prefixed,
            },
            "id": text("Identifies the event within its source."),
            "source": text("Where the event comes from."),
            "time": generator.subschema_for::<Instant>(),
            "org": {
                "description": "The organisation; an integer is read as its digits.",
                "type": ["string", "integer"],
                "maxLength": ORG_LIMIT,
                "pattern": "^[A-Za-z0-9._-]+$",
            },
            "data": data,
        },
        "required": ["specversion", "type", "id", "source", "time", "org", "data"],
        "$defs": generator.take_definitions(true),
    })
}

/// Declares types that stand for values of JSON.
macro_rules! values {
    ($($name:ident = $schema:tt;)+) => {$(
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

values! {
    HyphenatedUuid = {
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    };
    Instant = {
        "description": "A date and time of RFC 3339, from the year 2000 to 5 minutes ahead of the clock of ingestion.",
        "type": "string",
        "format": "date-time",
    };
    Name = { "type": "string", "minLength": 1, "maxLength": NAME_LIMIT };
    Id = { "type": ["string", "integer"], "minLength": 1, "maxLength": NAME_LIMIT };
    IdOrEmpty = { "type": ["string", "integer"], "maxLength": NAME_LIMIT };
}
