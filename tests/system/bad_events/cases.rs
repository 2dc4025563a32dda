//! Events that break a rule, and the reasons that they are rejected with.

use serde_json::{Map, Value, json};

use crate::records::Record;

const STRUCTURED: (&str, Option<&[u8]>) = ("content-type", Some(b"application/cloudevents+json"));

/// A record that must be rejected.
pub(super) struct Case {
    pub(super) record: Record,
    /// The expected reason; one that ends in `…` is the beginning of it.
    pub(super) reason: &'static str,
    pub(super) code: &'static str,
}

/// All cases, each with a key of its own.
pub(super) fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = attributes().chain(data()).chain(whole()).collect();
    for (number, case) in cases.iter_mut().enumerate() {
        case.record.key = Some(format!("bad-{number}").into_bytes());
    }
    // All other headers of a record must be kept, whatever they are.
    let own: [(&str, Option<&[u8]>); 4] = [
        ("trace", Some(b"\xff\x00\x01")),
        ("empty", Some(b"")),
        ("null", None),
        ("rollcall_reason", Some(b"mine")),
    ];
    for case in cases.iter_mut().step_by(3) {
        let own = own.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
        case.record.headers.extend(own);
    }
    cases[0].record.key = None;
    cases[1].record.key = Some(b"\xff\xfe".to_vec());
    cases
}

/// A valid event of the org `good` that would be seen if it were kept.
fn valid(kind: &str) -> (Map<String, Value>, Map<String, Value>) {
    let (name, data) = match kind {
        "message" => (
            "chat.message.created.v1",
            json!({
                "message_id": "6fe84ac9-a1e4-5e1f-a0c4-78680fcadee1",
                "conversation_id": "0855d97f-6033-511a-b1ae-d8cb596c412a",
                "role": "user",
                "user_id": "mallory",
                "mentor_id": "euclid",
                "content": "must not be seen",
            }),
        ),
        "annotation" => (
            "chat.conversation.annotated.v1",
            json!({
                "conversation_id": "00000000-0000-0000-0000-000000000001",
                "topics": [{ "name": "must not be seen" }],
                "user_sentiment": "negative",
                "annotated_at": "2024-05-15T11:00:00Z",
            }),
        ),
        _ => (
            "chat.user.registered.v1",
            json!({ "user_id": "mallory", "registered_at": "2024-05-10T00:00:00Z" }),
        ),
    };
    let attributes = json!({
        "specversion": "1.0",
        "type": name,
        "id": "e-1",
        "source": "/test",
        "time": "2024-05-15T11:59:00Z",
        "org": "good",
    });
    match (attributes, data) {
        (Value::Object(attributes), Value::Object(data)) => (attributes, data),
        _ => unreachable!("both are objects"),
    }
}

fn structured((attributes, data): (Map<String, Value>, Map<String, Value>)) -> Record {
    let mut whole = attributes;
    whole.insert("data".to_owned(), Value::Object(data));
    Record::structured(Value::Object(whole).to_string())
}

fn binary((attributes, data): (Map<String, Value>, Map<String, Value>)) -> Record {
    let header = |(name, value): (String, Value)| {
        let text = value.as_str().unwrap().as_bytes().to_vec();
        (format!("ce_{name}"), Some(text))
    };
    Record {
        key: None,
        headers: attributes.into_iter().map(header).collect(),
        value: Some(Value::Object(data).to_string().into_bytes()),
    }
}

/// Sets a member to this JSON, or removes it.
fn put(members: &mut Map<String, Value>, name: &str, json: Option<Value>) {
    match json {
        Some(json) => members.insert(name.to_owned(), json),
        None => members.remove(name),
    };
}

/// Attributes that break a rule, in both modes where they are texts or absent.
fn attributes() -> impl Iterator<Item = Case> {
    let text = |text: &str| Some(json!(text));
    let cases = [
        (
            "specversion",
            text("0.3"),
            "specversion: not 1.0",
            "unsupported_specversion",
        ),
        ("specversion", None, "specversion: missing", "missing"),
        (
            "specversion",
            Some(json!(1.0)),
            "specversion: expected a string, found a number",
            "wrong_type",
        ),
        ("type", None, "type: missing", "missing"),
        ("type", text(""), "type: empty", "empty"),
        ("id", None, "id: missing", "missing"),
        ("id", text(""), "id: empty", "empty"),
        (
            "id",
            Some(json!(7)),
            "id: expected a string, found a number",
            "wrong_type",
        ),
        ("source", None, "source: missing", "missing"),
        ("source", text(""), "source: empty", "empty"),
        ("time", None, "time: missing", "missing"),
        ("time", text(""), "time: empty", "empty"),
        (
            "time",
            text("2024-05-15"),
            "time: not a date and time of RFC 3339",
            "not_a_timestamp",
        ),
        (
            "time",
            text("2024-02-30T00:00:00Z"),
            "time: not a date and time of RFC 3339",
            "not_a_timestamp",
        ),
        (
            "time",
            text("1999-12-31T23:59:59.999Z"),
            "time: before 2000-01-01T00:00:00Z",
            "time_too_early",
        ),
        (
            "time",
            text("2000-01-01T00:59:59+01:00"),
            "time: before 2000-01-01T00:00:00Z",
            "time_too_early",
        ),
        (
            "time",
            text("9999-12-31T23:59:59Z"),
            "time: more than 5 minutes ahead",
            "time_too_late",
        ),
        (
            "time",
            Some(json!(1_715_774_400)),
            "time: expected a string, found a number",
            "wrong_type",
        ),
        ("org", None, "org: missing", "missing"),
        ("org", text(""), "org: empty", "empty"),
        (
            "org",
            text("a b"),
            "org: has a character outside [A-Za-z0-9._-]",
            "invalid_org",
        ),
        (
            "org",
            text("good/x"),
            "org: has a character outside [A-Za-z0-9._-]",
            "invalid_org",
        ),
        (
            "org",
            Some(json!("a".repeat(65))),
            "org: longer than 64 characters",
            "too_long",
        ),
        (
            "org",
            Some(json!(["good"])),
            "org: expected a string or an integer, found an array",
            "wrong_type",
        ),
    ];
    cases.into_iter().flat_map(|(name, json, reason, code)| {
        let both = json.as_ref().is_none_or(Value::is_string);
        let mut event = valid("message");
        put(&mut event.0, name, json);
        let other = both.then(|| binary(event.clone()));
        let records = [Some(structured(event)), other].into_iter().flatten();
        records.map(move |record| Case { record, reason, code })
    })
}

/// Data that breaks a rule, in both modes.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn data() -> impl Iterator<Item = Case> {
    let long = json!("\u{e9}".repeat(256));
    let some = |json: Value| Some(json);
    let uuid = [
        "data.message_id: not a hyphenated UUID",
        "data.conversation_id: not a hyphenated UUID",
    ];
    let cases = [
        (
            "message",
            "message_id",
            None,
            "data.message_id: missing",
            "missing",
        ),
        (
            "message",
            "message_id",
            some(json!("6fe84ac9a1e45e1fa0c478680fcadee1")),
            uuid[0],
            "not_a_uuid",
        ),
        (
            "message",
            "message_id",
            some(json!(7)),
            "data.message_id: expected a string, found a number",
            "wrong_type",
        ),
        (
            "message",
            "conversation_id",
            some(Value::Null),
            "data.conversation_id: missing",
            "missing",
        ),
        (
            "message",
            "conversation_id",
            some(json!("c-1")),
            uuid[1],
            "not_a_uuid",
        ),
        ("message", "role", None, "data.role: missing", "missing"),
        (
            "message",
            "role",
            some(json!("User")),
            "data.role: none of user, assistant, system, tool",
            "unknown_role",
        ),
        (
            "message",
            "user_id",
            some(json!(1.5)),
            "data.user_id: a number, but not an integer",
            "not_an_integer",
        ),
        (
            "message",
            "user_id",
            some(long.clone()),
            "data.user_id: longer than 255 characters",
            "too_long",
        ),
        (
            "message",
            "user_id",
            some(json!(true)),
            "data.user_id: expected a string or an integer, found a boolean",
            "wrong_type",
        ),
        (
            "message",
            "mentor_id",
            some(json!("")),
            "data.mentor_id: empty",
            "empty",
        ),
        (
            "message",
            "mentor_id",
            some(long.clone()),
            "data.mentor_id: longer than 255 characters",
            "too_long",
        ),
        (
            "message",
            "content",
            some(json!(7)),
            "data.content: expected a string, found a number",
            "wrong_type",
        ),
        (
            "message",
            "model",
            some(json!({})),
            "data.model: expected a string, found an object",
            "wrong_type",
        ),
        (
            "annotation",
            "conversation_id",
            None,
            "data.conversation_id: missing",
            "missing",
        ),
        ("annotation", "topics", None, "data.topics: missing", "missing"),
        (
            "annotation",
            "topics",
            some(json!("art")),
            "data.topics: expected an array, found a string",
            "wrong_type",
        ),
        (
            "annotation",
            "topics",
            some(json!(["art"])),
            "data.topics[0]: expected an object, found a string",
            "wrong_type",
        ),
        (
            "annotation",
            "topics",
            some(json!([{ "name": "a" }, {}])),
            "data.topics[1].name: missing",
            "missing",
        ),
        (
            "annotation",
            "topics",
            some(json!([{ "name": "" }])),
            "data.topics[0].name: empty",
            "empty",
        ),
        (
            "annotation",
            "topics",
            some(json!([{ "name": long }])),
            "data.topics[0].name: longer than 255 characters",
            "too_long",
        ),
        (
            "annotation",
            "user_sentiment",
            some(json!("unknown")),
            "data.user_sentiment: none of positive, negative, neutral",
            "unknown_sentiment",
        ),
        (
            "annotation",
            "annotated_at",
            some(json!("2024-05-15")),
            "data.annotated_at: not a date and time of RFC 3339",
            "not_a_timestamp",
        ),
        (
            "registration",
            "user_id",
            None,
            "data.user_id: missing",
            "missing",
        ),
        (
            "registration",
            "user_id",
            some(json!("")),
            "data.user_id: empty",
            "empty",
        ),
        (
            "registration",
            "registered_at",
            None,
            "data.registered_at: missing",
            "missing",
        ),
        (
            "registration",
            "registered_at",
            some(json!("yesterday")),
            "data.registered_at: not a date and time of RFC 3339",
            "not_a_timestamp",
        ),
    ];
    cases.into_iter().flat_map(|(kind, name, json, reason, code)| {
        let mut event = valid(kind);
        put(&mut event.1, name, json);
        [structured(event.clone()), binary(event)].map(|record| Case { record, reason, code })
    })
}

/// Records that are not an event, or broken as a whole.
fn whole() -> impl Iterator<Item = Case> {
    const NONE: &str = "value: not a CloudEvent: no content-type application/cloudevents+json, no ce_ header and no \
                        JSON object with specversion";
    const FORMAT: &str = "content-type: a format of CloudEvents other than application/cloudevents+json";
    let good = structured(valid("message")).value.unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let cut = text.trim_end_matches('}').to_owned();
    let (typed, bare) = (
        |value: &[u8]| (vec![STRUCTURED], Some(value.to_vec())),
        |value: &[u8]| (vec![], Some(value.to_vec())),
    );
    let batch: (&str, Option<&[u8]>) = ("content-type", Some(b"application/cloudevents-batch+json"));
    let content_type: (&str, Option<&[u8]>) = ("content-type", Some(b"\xff"));
    let base64 = |text: &str| {
        let mut attributes = valid("message").0;
        attributes.insert("data_base64".to_owned(), json!(text));
        Value::Object(attributes).to_string().into_bytes()
    };
    let both = text.replacen('{', r#"{"data_base64":"e30=","#, 1);
    let twice = text.replacen('{', r#"{"id":"e-2","#, 1);
    let mut no_header = binary(valid("message"));
    no_header.headers[0].1 = Some(b"\xff".to_vec());
    let mut no_json = binary(valid("message"));
    no_json.value = Some(b"[1,2]".to_vec());
    let mut no_value = binary(valid("message"));
    no_value.value = None;

    let cases = [
        ((vec![], None), "value: empty", "tombstone"),
        ((vec![STRUCTURED], None), "value: empty", "tombstone"),
        (bare(b""), "value: empty", "tombstone"),
        (bare(b"hello"), NONE, "not_a_cloud_event"),
        (bare(b"[]"), NONE, "not_a_cloud_event"),
        (bare(b"{}"), NONE, "not_a_cloud_event"),
        (bare(b"\x00\x01\xfe\xff"), NONE, "not_a_cloud_event"),
        (bare(b"{nope"), "value: malformed JSON: …", "malformed_json"),
        (typed(b"\xff\xfe"), "value: not UTF-8", "not_utf8"),
        (typed(b"null"), "value: missing", "missing"),
        (
            typed(b"7"),
            "value: expected an object, found a number",
            "wrong_type",
        ),
        (
            typed(cut.as_bytes()),
            "value: malformed JSON: …",
            "malformed_json",
        ),
        (
            typed(twice.as_bytes()),
            "value: malformed JSON: duplicate field `id`…",
            "malformed_json",
        ),
        (
            typed(both.as_bytes()),
            "data_base64: given together with data",
            "two_payloads",
        ),
        (typed(&base64("e30*")), "data_base64: not base64", "not_base64"),
        (
            typed(&base64("ew==")),
            "data: malformed JSON: …",
            "malformed_json",
        ),
        ((vec![batch], Some(good.clone())), FORMAT, "unsupported_format"),
        (
            (vec![content_type], Some(good)),
            "header content-type: not UTF-8",
            "content_type_not_utf8",
        ),
        (typed(&vec![b'x'; (1 << 20) + 1]), "record: …", "record_too_large"),
        // The same bytes twice are two records.
        (bare(b"hello"), NONE, "not_a_cloud_event"),
    ];
    let raw = cases.into_iter().map(|((headers, value), reason, code)| {
        let headers = headers.into_iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
        let record = Record {
            key: None,
            headers: headers.collect(),
            value,
        };
        Case { record, reason, code }
    });
    let binary = [
        (no_header, "header ce_…", "header_not_utf8"),
        (no_json, "data: expected an object, found an array", "wrong_type"),
        (no_value, "value: empty", "tombstone"),
    ];
    raw.chain(binary.map(|(record, reason, code)| Case { record, reason, code }))
}
