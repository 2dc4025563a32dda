//! Malformed events, and the reason that each is rejected with.

mod data;

use std::collections::BTreeSet;

use events::Decoded;

use crate::wire::{Draft, Header, NOW, borrowed, read};

const STRUCTURED: Header<'static> = ("content-type", Some(b"application/cloudevents+json"));

/// Headers, a value, and the reason that it is rejected with.
type Case<'a> = (&'a [Header<'a>], Option<&'a [u8]>, &'a str);

fn reason(headers: &[Header<'_>], value: Option<&[u8]>) -> String {
    match events::decode(headers.iter().copied(), value, NOW) {
        Err(rejection) => rejection.to_string(),
        Ok(decoded) => format!("{decoded:?}"),
    }
}

#[test]
fn an_attribute_that_breaks_a_rule_is_rejected_alike_in_both_modes() {
    let long = format!("\"{}\"", "a".repeat(65));
    #[rustfmt::skip]
    let cases: &[(&str, Option<&str>, &str)] = &[
        ("specversion", Some(r#""0.3""#), "specversion: not 1.0"),
        ("specversion", Some(r#""1.0.0""#), "specversion: not 1.0"),
        ("specversion", Some(r#""""#), "specversion: not 1.0"),
        ("specversion", None, "specversion: missing"),
        ("type", None, "type: missing"),
        ("type", Some(r#""""#), "type: empty"),
        ("id", None, "id: missing"),
        ("id", Some(r#""""#), "id: empty"),
        ("source", None, "source: missing"),
        ("source", Some(r#""""#), "source: empty"),
        ("time", None, "time: missing"),
        ("time", Some(r#""""#), "time: empty"),
        ("time", Some(r#""2024-05-15""#), "time: not a date and time of RFC 3339"),
        ("time", Some(r#""2024-05-15T12:00:00""#), "time: not a date and time of RFC 3339"),
        ("time", Some(r#""2024-02-30T12:00:00Z""#), "time: not a date and time of RFC 3339"),
        ("time", Some(r#""1999-12-31T23:59:59.999Z""#), "time: before 2000-01-01T00:00:00Z"),
        ("time", Some(r#""2000-01-01T00:59:59+01:00""#), "time: before 2000-01-01T00:00:00Z"),
        ("time", Some(r#""2024-05-15T12:05:00.001Z""#), "time: more than 5 minutes ahead"),
        ("time", Some(r#""9999-12-31T23:59:59Z""#), "time: more than 5 minutes ahead"),
        ("org", None, "org: missing"),
        ("org", Some(r#""""#), "org: empty"),
        ("org", Some(&long), "org: longer than 64 characters"),
        ("org", Some(r#""a b""#), "org: has a character outside [A-Za-z0-9._-]"),
        ("org", Some(r#""acme/eu""#), "org: has a character outside [A-Za-z0-9._-]"),
        ("org", Some(r#""é""#), "org: has a character outside [A-Za-z0-9._-]"),
    ];
    for &(name, json, expected) in cases {
        let draft = Draft::message().attribute(name, json);
        for (mode, decoded) in [
            ("structured", draft.read_structured()),
            ("binary", draft.read_binary()),
        ] {
            let reason = decoded.map_err(|rejection| rejection.to_string());
            assert_eq!(reason, Err(expected.to_owned()), "{mode} {name} {json:?}");
        }
    }
}

#[test]
fn an_attribute_in_a_structured_event_must_be_a_string() {
    #[rustfmt::skip]
    let cases = [
        ("specversion", "1.0", "specversion: expected a string, found a number"),
        ("specversion", "null", "specversion: missing"),
        ("type", "{}", "type: expected a string, found an object"),
        ("type", "null", "type: missing"),
        ("id", "7", "id: expected a string, found a number"),
        ("id", "null", "id: missing"),
        ("id", r#""\ud8""#, "value: malformed JSON: invalid escape at line 1 column 126"),
        ("source", "false", "source: expected a string, found a boolean"),
        ("time", "1715774400", "time: expected a string, found a number"),
        ("org", r#"["acme"]"#, "org: expected a string or an integer, found an array"),
        ("org", "1.5", "org: a number, but not an integer"),
    ];
    for (name, json, expected) in cases {
        let rejection = Draft::message()
            .attribute(name, Some(json))
            .read_structured()
            .unwrap_err();
        assert_eq!(rejection.to_string(), expected, "{name} {json}");
    }
}

#[test]
fn a_header_that_is_not_utf8_is_named() {
    for name in ["specversion", "type", "id", "source", "time", "org"] {
        let draft = Draft::message();
        let mut headers = draft.headers();
        headers
            .iter_mut()
            .filter(|(header, _)| header.ends_with(name))
            .for_each(|(_, value)| value.push(0xff));
        let rejection = read(&borrowed(&headers), draft.data().as_bytes()).unwrap_err();
        assert_eq!(rejection.to_string(), format!("header ce_{name}: not UTF-8"));
    }
    assert_eq!(
        reason(&[("Content-Type", Some(b"\xff"))], Some(b"{}")),
        "header content-type: not UTF-8"
    );
}

#[test]
fn a_value_that_is_no_event_is_rejected() {
    let none = "value: not a CloudEvent: no content-type application/cloudevents+json, no ce_ header and no JSON \
                object with specversion";
    let mark = "value: begins with a byte-order mark of UTF-8";
    let framing = "value: begins with a schema registry's framing (a zero byte and a schema id): publish the JSON \
                   alone, with a string or bytes serializer";
    let hyphens = "header ce-…: in Kafka the headers of attributes begin with ce_, not with ce-";
    let two_modes = "value: a structured event, but a ce_ header without ce_specversion makes it binary mode: leave \
                     out the ce_ headers, or set the content-type application/cloudevents+json";
    let format = "content-type: a format of CloudEvents other than application/cloudevents+json";
    let typed = |content_type: &'static str| vec![("content-type", Some(content_type.as_bytes()))];
    let valid = Draft::message().structured();
    let framed = format!("\0\0\0\0\u{7}{valid}");
    let bom = format!("\u{feff}{valid}");
    let trailing = format!("{valid} x");
    let twice = Draft::message().structured_with(r#""id":"e-2","data":{}"#);
    let cut = valid.trim_end_matches('}');
    let data_twice = Draft::message().structured_with(r#""data":{},"data_base64":"e30=""#);
    let base64 = |text: &str| Draft::message().structured_with(&format!(r#""data_base64":{text}"#));
    let (bad_base64, unpadded, number, empty, not_utf8, not_json, array) = (
        base64(r#""e30*""#),
        base64(r#""e30""#),
        base64("7"),
        base64(r#""""#),
        base64(r#""/w==""#),
        base64(r#""ew==""#),
        base64(r#""W10=""#),
    );
    let with_data = |json: &str| Draft::message().structured_with(&format!(r#""data":{json}"#));
    let (no_data, null_data, text_data, array_data, number_data, repeated) = (
        Draft::message().structured_with(r#""more":1"#),
        with_data("null"),
        with_data(r#""{}""#),
        with_data(r#"["6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1"]"#),
        with_data("7"),
        with_data(r#"{"role":"user","role":"user"}"#),
    );
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        (&[], None, "value: empty"),
        (&[], Some(b""), "value: empty"),
        (&[STRUCTURED], None, "value: empty"),
        (&[STRUCTURED], Some(b""), "value: empty"),
        (&[], Some(b"hello"), none),
        (&[], Some(b" \t\r\n"), none),
        (&[], Some(b"[]"), none),
        (&[], Some(b"{}"), none),
        (&[], Some(br#"{"specversion":null}"#), none),
        (&[], Some(b"\xff{}"), none),
        (&[], Some(bom.as_bytes()), mark),
        (&[("ce_id", None)], Some(b"{}"), none),
        (&[("content-type", Some(b"application/json"))], Some(b"{}"), none),
        (&[("content-type", None)], Some(b"{}"), none),
        (&[], Some(framed.as_bytes()), framing),
        (&[STRUCTURED], Some(framed.as_bytes()), framing),
        (&[("ce-id", Some(b"e-1"))], Some(b"hello"), hyphens),
        (&[("CE-Type", Some(b"chat.message.created.v1"))], Some(b"{}"), hyphens),
        (&[("ce_tracestate", Some(b"x"))], Some(valid.as_bytes()), two_modes),
        (&[("ce_tracestate", Some(b"x"))], Some(b"{}"), "specversion: missing"),
        (&[("ce_specversion", Some(b"\"1.0\""))], Some(b"{}"), "header ce_specversion: encoded as JSON, in quotes or with a schema: send headers as plain text"),
        (&[("ce_specversion", Some(br#"{"schema":{"type":"string","optional":false},"payload":"1.0"}"#))], Some(b"{}"), "header ce_specversion: encoded as JSON, in quotes or with a schema: send headers as plain text"),
        (&[], Some(b"{nope"), "value: malformed JSON: key must be a string at line 1 column 2"),
        (&[], Some(b"{\"a\":\"\xff\"}"), "value: not UTF-8"),
        (&[STRUCTURED], Some(bom.as_bytes()), mark),
        (&[STRUCTURED], Some(b"7"), "value: expected an object, found a number"),
        (&[STRUCTURED], Some(b"null"), "value: missing"),
        (&[STRUCTURED], Some(b"[\"1.0\"]"), "value: expected an object, found an array"),
        (&[STRUCTURED], Some(b"{}"), "specversion: missing"),
        (&[STRUCTURED], Some(b"{"), "value: malformed JSON: EOF while parsing an object at line 1 column 1"),
        (&[STRUCTURED], Some(b"\xff"), "value: not UTF-8"),
        (&[STRUCTURED], Some(trailing.as_bytes()), "value: malformed JSON: trailing characters at line 1 column 328"),
        (&[STRUCTURED], Some(cut.as_bytes()), "value: malformed JSON: EOF while parsing an object at line 1 column 324"),
        (&[STRUCTURED], Some(twice.as_bytes()), "value: malformed JSON: duplicate field `id` at line 1 column 129"),
        (&[STRUCTURED], Some(data_twice.as_bytes()), "data_base64: given together with data"),
        (&[STRUCTURED], Some(bad_base64.as_bytes()), "data_base64: not base64"),
        (&[STRUCTURED], Some(unpadded.as_bytes()), "data_base64: not base64"),
        (&[STRUCTURED], Some(number.as_bytes()), "data_base64: expected a string, found a number"),
        (&[STRUCTURED], Some(empty.as_bytes()), "data: malformed JSON: EOF while parsing a value at line 1 column 0"),
        (&[STRUCTURED], Some(not_utf8.as_bytes()), "data_base64: not UTF-8"),
        (&[STRUCTURED], Some(not_json.as_bytes()), "data: malformed JSON: EOF while parsing an object at line 1 column 1"),
        (&[STRUCTURED], Some(array.as_bytes()), "data: expected an object, found an array"),
        (&[STRUCTURED], Some(no_data.as_bytes()), "data: missing"),
        (&[STRUCTURED], Some(null_data.as_bytes()), "data: missing"),
        (&[STRUCTURED], Some(text_data.as_bytes()), "data: expected an object, found a string"),
        (&[STRUCTURED], Some(array_data.as_bytes()), "data: expected an object, found an array"),
        (&[STRUCTURED], Some(number_data.as_bytes()), "data: expected an object, found a number"),
        (&[STRUCTURED], Some(repeated.as_bytes()), "data: malformed JSON: duplicate field `role` at line 1 column 21"),
        (&typed("application/cloudevents"), Some(valid.as_bytes()), format),
        (&typed("application/cloudevents+avro"), Some(valid.as_bytes()), format),
        (&typed("application/cloudevents-batch+json"), Some(valid.as_bytes()), format),
        (&typed("Application/CloudEvents+Protobuf; x=y"), Some(valid.as_bytes()), format),
        (&typed("application/cloudevents+jsonl"), Some(valid.as_bytes()), format),
    ];
    for &(headers, value, expected) in cases {
        let shown = value.map(String::from_utf8_lossy);
        assert_eq!(reason(headers, value), expected, "{headers:?} {shown:?}");
    }
}

#[test]
fn a_binary_value_that_is_no_json_object_is_rejected() {
    #[rustfmt::skip]
    let cases: [(Option<&[u8]>, &str); 9] = [
        (None, "value: empty"),
        (Some(b""), "value: empty"),
        (Some(b"null"), "data: missing"),
        (Some(b"hello"), "data: malformed JSON: expected value at line 1 column 1"),
        (Some(b"[1,2]"), "data: expected an object, found an array"),
        (Some(b"{} {}"), "data: malformed JSON: trailing characters at line 1 column 4"),
        (Some(b"\xef\xbb\xbf{}"), "value: begins with a byte-order mark of UTF-8"),
        (Some(b"\0\0\0\0\x07{}"), "value: begins with a schema registry's framing (a zero byte and a schema id): publish the JSON alone, with a string or bytes serializer"),
        (Some(b"{\"x\":\"\xc0\x80\"}"), "data: not UTF-8"),
    ];
    let headers = Draft::message().headers();
    for (value, expected) in cases {
        assert_eq!(reason(&borrowed(&headers), value), expected, "{value:?}");
    }
}

#[test]
fn rules_are_tried_in_order() {
    let mut broken = Draft::message();
    let steps = [
        ("org", "org: empty"),
        ("time", "time: empty"),
        ("source", "source: empty"),
        ("id", "id: empty"),
        ("type", "type: empty"),
        ("specversion", "specversion: not 1.0"),
    ];
    broken = broken.datum("role", None);
    for (name, expected) in steps {
        broken = broken.attribute(name, Some(r#""""#));
        assert_eq!(broken.read_structured().unwrap_err().to_string(), expected);
        assert_eq!(broken.read_binary().unwrap_err().to_string(), expected);
    }
}

#[test]
fn an_unknown_type_is_skipped_whatever_else_is_wrong() {
    for event_type in [
        "chat.message.created.v2",
        "user.registered.v1",
        ".chat.message.created.v1",
        "xchat.message.created.v1",
        "Chat.message.created.v1",
        "chat.message.created.v1.",
        "chat.message.created",
    ] {
        let head = format!(r#"{{"specversion":"1.0","type":"{event_type}""#);
        for tail in [
            "}",
            r#","id":1e999,"org":[],"time":"\ud800","data":null,"data_base64":7}"#,
        ] {
            let value = format!("{head}{tail}");
            assert_eq!(
                read(&[], value.as_bytes()),
                Ok(Decoded::Skipped {
                    event_type: event_type.into()
                }),
                "{value}"
            );
        }
        let headers: [Header<'_>; 3] = [
            ("ce_specversion", Some(b"1.0")),
            ("ce_type", Some(event_type.as_bytes())),
            ("ce_id", Some(b"\xff")),
        ];
        let decoded = events::decode(headers.into_iter(), None, NOW);
        assert_eq!(
            decoded,
            Ok(Decoded::Skipped {
                event_type: event_type.into()
            })
        );
    }
}

#[test]
fn every_rule_has_a_label_that_stays() {
    use events::Rejection as R;
    let field = events::decode::Field::Named("data");
    #[rustfmt::skip]
    let rules = [
        (R::Tombstone, "tombstone"),
        (R::SchemaRegistryFraming, "schema_registry_framing"),
        (R::ByteOrderMark, "byte_order_mark"),
        (R::HyphenatedHeaders, "hyphenated_headers"),
        (R::StructuredWithHeaders, "structured_with_headers"),
        (R::QuotedHeader, "quoted_header"),
        (R::NotACloudEvent, "not_a_cloud_event"),
        (R::UnsupportedFormat, "unsupported_format"),
        (R::ContentTypeNotUtf8, "content_type_not_utf8"),
        (R::HeaderNotUtf8("id"), "header_not_utf8"),
        (R::NotUtf8(field), "not_utf8"),
        (R::MalformedJson { field, reason: String::new() }, "malformed_json"),
        (R::WrongType { field, expected: "", found: "" }, "wrong_type"),
        (R::Missing(field), "missing"),
        (R::Empty(field), "empty"),
        (R::TooLong { field, limit: 1 }, "too_long"),
        (R::UnsupportedSpecVersion, "unsupported_specversion"),
        (R::InvalidOrg, "invalid_org"),
        (R::NotAnInteger(field), "not_an_integer"),
        (R::NotATimestamp(field), "not_a_timestamp"),
        (R::TimeTooEarly(field), "time_too_early"),
        (R::TimeTooLate(field), "time_too_late"),
        (R::NotAUuid(field), "not_a_uuid"),
        (R::UnknownRole, "unknown_role"),
        (R::UnknownSentiment, "unknown_sentiment"),
        (R::NotBase64, "not_base64"),
        (R::TwoPayloads, "two_payloads"),
    ];
    for (rule, label) in &rules {
        assert_eq!(rule.code(), *label);
    }
    let labels: BTreeSet<&str> = rules.iter().map(|(_, label)| *label).collect();
    assert_eq!(labels.len(), rules.len());
}
