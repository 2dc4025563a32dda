//! The schemas take what decoding takes, and refuse what it rejects.

use events::{Decoded, schemas};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use crate::generate::wild_event;
use crate::round_trip;
use crate::wire::{Draft, read};

fn validators() -> [Validator; 4] {
    let options = jsonschema::options().should_validate_formats(true);
    schemas().map(|(_, schema)| options.build(&schema).unwrap())
}

/// Whether one of the schemas takes a value.
fn is_described(validators: &[Validator], value: &str) -> bool {
    let value: Value = serde_json::from_str(value).unwrap();
    validators.iter().any(|validator| validator.is_valid(&value))
}

/// JSON of every type, right and wrong in many ways; `None` takes a member away.
fn members() -> Vec<Option<String>> {
    let long = |characters: usize| format!("\"{}\"", "é".repeat(characters));
    let texts = [
        "null",
        "true",
        "7",
        "-12",
        "1.5",
        "{}",
        "[]",
        r#""""#,
        r#""ada""#,
        r#""a b""#,
        r#""user""#,
        r#""User""#,
        r#""neutral""#,
        r#""1.0""#,
        r#""chat.user.registered.v1""#,
        r#""com.acme.chat.message.created.v1""#,
        r#"".chat.message.created.v1""#,
        r#""2024-05-15""#,
        r#""2024-05-15T11:00:00Z""#,
        r#""2024-05-15T11:00:00.123456789+02:00""#,
        r#""2024-05-15T11:00:00""#,
        r#""2024-02-30T11:00:00Z""#,
        r#""0855d97f-6033-511a-b1ae-d8cb596c412a""#,
        r#""0855D97F-6033-511A-B1AE-D8CB596C412A""#,
        r#""0855d97f6033511ab1aed8cb596c412a""#,
        r#"[{"name":"proofs"}]"#,
        r#"[{"name":""}]"#,
        r#"[{"name":null}]"#,
        r#"[{"name":7}]"#,
        r#"["proofs"]"#,
    ];
    let texts = texts.map(str::to_owned).into_iter();
    let texts = texts.chain([64, 65, 255, 256].map(long)).map(Some);
    texts.chain([None]).collect()
}

#[test]
fn an_event_is_described_if_decoding_takes_it() {
    const ATTRIBUTES: [&str; 7] = ["specversion", "type", "id", "source", "time", "org", "other"];
    const DATA: [&str; 13] = [
        "message_id",
        "conversation_id",
        "role",
        "user_id",
        "mentor_id",
        "content",
        "model",
        "topics",
        "user_sentiment",
        "annotated_at",
        "registered_at",
        "erased_at",
        "other",
    ];
    let validators = validators();
    for draft in [
        Draft::message(),
        Draft::annotation(),
        Draft::registration(),
        Draft::erasure(),
    ] {
        for member in members() {
            let member = member.as_deref();
            let attributes = ATTRIBUTES.map(|name| draft.clone().attribute(name, member));
            let data = DATA.map(|name| draft.clone().datum(name, member));
            for draft in attributes.into_iter().chain(data) {
                let value = draft.structured();
                let decoded = read(&[], value.as_bytes());
                let is_event = matches!(decoded, Ok(Decoded::Event(_)));
                assert_eq!(is_described(&validators, &value), is_event, "{value} {decoded:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_valid_event_is_described(event in wild_event()) {
        let value = round_trip::structured(&event, "data", &round_trip::data(&event));
        prop_assert!(is_described(&validators(), &value), "{value}");
    }
}
