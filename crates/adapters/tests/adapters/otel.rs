//! Spans and log records. Those in files were written by OpenTelemetry's instrumentations of OpenAI's client for Python
//! (genai-openai 1.3b0, and openai-v2 2.4b0 for the last line of each) and marshalled as the Collector does.

use adapters::{Format, LeftOut, Mapping, adapt};
use serde_json::{Value, json};

use super::{adapted, field, mapping, reason, summary};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";

fn otel() -> Mapping {
    mapping(Format::OtelGenai)
}

/// A line with one span of a chat, with these attributes besides.
fn chat(attributes: &Value) -> Value {
    let fields = attributes.as_object().unwrap().iter();
    let mut list = vec![json!({"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}})];
    list.extend(fields.map(|(key, value)| json!({"key": key, "value": value})));
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "tenant", "value": {"stringValue": "north"}}]},
        "scopeSpans": [{"scope": {}, "spans": [{
            "traceId": TRACE, "spanId": SPAN, "name": "chat gpt-4o", "kind": "SPAN_KIND_CLIENT",
            "startTimeUnixNano": "1772443800120999999", "endTimeUnixNano": 1_772_443_802_500_000_000_u64,
            "attributes": list, "status": {},
        }]}],
    }]})
}

/// The span of a line.
fn span(line: &mut Value) -> &mut Value {
    &mut line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
}

fn events(line: &Value, mapping: &Mapping) -> Vec<String> {
    adapt(line.to_string().as_bytes(), mapping).unwrap().events
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

#[test]
fn spans_of_an_sdk_become_the_messages_that_are_new_in_them() {
    let adapted = adapted("otel-spans.jsonl", &otel());
    let model = "gpt-4o-mini-2024-07-18";
    assert_eq!(
        summary(&adapted.events),
        [
            "2026-03-02T09:30:00.000Z acme c0 user ada algebra - \"what is a group?\"".to_owned(),
            format!(
                "2026-03-02T09:30:00.028Z acme c0 assistant ada algebra {model} \"answer 1 to: what is a group?\""
            ),
            "2026-03-02T09:30:00.028Z acme c0 user ada algebra - \"and a ring?\"".to_owned(),
            format!(
                "2026-03-02T09:30:00.054Z acme c0 assistant ada algebra {model} \"answer 3 to: a set with + and *\""
            ),
            "2026-03-03T23:59:59.950Z acme c1 user bob geometry - \"what is a circle?\"".to_owned(),
            format!(
                "2026-03-03T23:59:59.953Z acme c1 assistant bob geometry {model} \"answer 4 to: what is a circle?\""
            ),
            "2026-03-04T12:00:00.000Z acme c2 user - - - \"anyone there?\"".to_owned(),
            format!("2026-03-04T12:00:00.020Z acme c2 assistant - - {model} \"answer 5 to: anyone there?\""),
            "2026-03-04T15:00:00.000Z acme c0 user ada algebra - \"thanks\"".to_owned(),
            format!("2026-03-04T15:00:00.027Z acme c0 assistant ada algebra {model} \"answer 6 to: thanks\""),
            "2026-03-05T08:00:00.001Z acme c3 user carol algebra - \"\"".to_owned(),
            format!("2026-03-05T08:00:00.030Z acme c3 assistant carol algebra {model} \"\""),
        ]
    );
    assert_eq!(adapted.left_out, [LeftOut::OtherSpan; 6]);
    let conversation = field(&adapted.events[4], "/data/conversation_id");
    assert_eq!(conversation, "0855d97f-6033-411a-b1ae-d8cb596c412a");
}

#[test]
fn log_records_without_a_conversation_are_left_out() {
    let adapted = adapted("otel-logs.jsonl", &otel());
    assert!(adapted.events.is_empty(), "{:?}", adapted.events);
    let count = |left_out| adapted.left_out.iter().filter(|item| **item == left_out).count();
    assert_eq!(count(LeftOut::LogWithoutConversation), 6);
    assert_eq!(count(LeftOut::OtherLog), 2);
}

#[test]
fn ids_follow_from_those_of_the_span() {
    let line = chat(&json!({"gen_ai.conversation.id": text("conv_1"), "user.id": {"intValue": "7"}}));
    let [asked, answered] = events(&line, &otel()).try_into().unwrap();
    // As any implementation of UUIDv5 makes them of these texts.
    assert_eq!(
        field(&asked, "/data/conversation_id"),
        "bdd07319-be20-584d-8cc1-21c70ccf786e"
    );
    assert_eq!(
        field(&asked, "/data/message_id"),
        "0e330d6f-4763-5abd-aae7-4fcc9a39c88b"
    );
    assert_eq!(
        field(&answered, "/data/message_id"),
        "10cef634-c802-5312-b145-b9624d312ed1"
    );
    for event in [&asked, &answered] {
        assert_eq!(field(event, "/id"), field(event, "/data/message_id"));
        assert_eq!(field(event, "/data/user_id"), "7");
    }
    let mut upper = line;
    span(&mut upper)["traceId"] = TRACE.to_uppercase().into();
    assert_eq!(events(&upper, &otel()), [asked, answered]);
}

#[test]
fn an_operation_gives_the_same_ids_by_its_span_and_by_its_log_record() {
    let messages = json!({"arrayValue": {"values": [{"kvlistValue": {"values": [
        {"key": "role", "value": text("user")},
        {"key": "name", "value": {}},
        {"key": "parts", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
            {"key": "type", "value": text("text")}, {"key": "content", "value": text("what is a group?")},
        ]}}]}}},
    ]}}]}});
    let mut line =
        chat(&json!({"gen_ai.conversation.id": text("conv_1"), "gen_ai.input.messages": messages}));
    let by_span = events(&line, &otel());
    let attributes = span(&mut line)["attributes"].clone();
    for (name, attribute, time) in [
        ("eventName", None, "timeUnixNano"),
        ("body", Some("event.name"), "observedTimeUnixNano"),
    ] {
        let details = "gen_ai.client.inference.operation.details";
        let mut record = json!({
            "traceId": TRACE, "spanId": SPAN, "attributes": attributes, time: "1772443802500000000",
        });
        record[name] = attribute.map_or(details.into(), |_| json!({}));
        if let Some(key) = attribute {
            let attributes = record["attributes"].as_array_mut().unwrap();
            attributes.push(json!({"key": key, "value": text(details)}));
        }
        let line = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
        let by_log = events(&line, &otel());
        assert_eq!(by_log.len(), 2);
        for (span, log) in by_span.iter().zip(&by_log) {
            for pointer in ["/id", "/data"] {
                assert_eq!(field(span, pointer), field(log, pointer));
            }
        }
        // The answer follows its question, though a record has one time.
        let times = [&by_log[0], &by_log[1]].map(|event| field(event, "/time"));
        assert_eq!(times, ["2026-03-02T09:30:02.500Z", "2026-03-02T09:30:02.501Z"]);
    }
}

#[test]
fn the_event_of_a_span_describes_it_too() {
    let plain = chat(&json!({"gen_ai.output.messages": text("[]")}));
    let mut line = plain.clone();
    let details = r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#;
    span(&mut line)["events"] = json!([{
        "name": "gen_ai.client.inference.operation.details",
        "attributes": [{"key": "gen_ai.input.messages", "value": text(details)}],
    }]);
    let contents = |line| summary(&events(line, &otel()));
    assert_eq!(
        contents(&line),
        ["2026-03-02T09:30:00.120Z acme c0 user - - - \"hi\""]
    );
    assert_eq!(
        contents(&plain),
        ["2026-03-02T09:30:00.120Z acme c0 user - - - \"\""]
    );
}

#[test]
fn a_call_that_failed_or_only_called_tools_has_no_answer() {
    let reasons = |reasons: &[&str]| {
        let values: Vec<Value> = reasons.iter().map(|reason| text(reason)).collect();
        chat(&json!({"gen_ai.response.finish_reasons": {"arrayValue": {"values": values}}}))
    };
    let failed = |code: Value| {
        let mut line = chat(&json!({}));
        span(&mut line)["status"]["code"] = code;
        line
    };
    for (line, expected) in [
        (reasons(&["stop"]), 2),
        (reasons(&["tool_calls", "stop"]), 2),
        (reasons(&["tool_calls"]), 1),
        (reasons(&["tool_use"]), 1),
        (reasons(&[]), 2),
        (failed(json!(1)), 2),
        (failed(json!(2)), 1),
        (failed(json!("STATUS_CODE_ERROR")), 1),
    ] {
        assert_eq!(events(&line, &otel()).len(), expected, "{line}");
    }
}

#[test]
fn org_user_and_mentor_are_read_where_the_mapping_says() {
    let attributes = json!({
        "enduser.id": text("ada"), "tutor": text("algebra"), "gen_ai.agent.id": text("asst_1"),
        "gen_ai.request.model": text("gpt-4o"), "session.id": text("s-1"),
    });
    let line = chat(&attributes);
    let of = |mapping: &Mapping| summary(&events(&line, mapping)[1..]);
    assert_eq!(
        of(&otel()),
        ["2026-03-02T09:30:02.500Z acme c0 assistant ada asst_1 gpt-4o \"\""]
    );
    let mapping = Mapping {
        org_attribute: Some("tenant".to_owned()),
        mentor_attribute: Some("tutor".to_owned()),
        ..otel()
    };
    assert_eq!(
        of(&mapping),
        ["2026-03-02T09:30:02.500Z north c0 assistant ada algebra gpt-4o \"\""]
    );
    let mapping = Mapping {
        operations: vec!["invoke_agent".to_owned()],
        ..otel()
    };
    assert!(events(&line, &mapping).is_empty());
}

#[test]
fn a_line_that_cannot_be_adapted_is_named_with_its_reason() {
    let of = |line: &Value| reason(line, &otel());
    assert_eq!(
        of(&json!(7)),
        "invalid type: integer `7`, expected an export request at line 1 column 1"
    );
    assert_eq!(
        of(&json!({"specversion": "1.0"})),
        "not an export request of OTLP: it has neither resourceSpans nor resourceLogs"
    );
    let mut line = chat(&json!({}));
    // As protobuf's own JSON has it.
    span(&mut line)["traceId"] = "W47/95gDgQPSabYzgT/GDA==".into();
    assert_eq!(
        of(&line),
        format!("span {SPAN}: traceId: not 32 hexadecimal digits")
    );
    let cut = r#"[{"role":"user","parts":[{"type":"te"#;
    for messages in [cut, "7", r#"[{"text":"hi"}]"#] {
        let line = chat(&json!({"gen_ai.input.messages": text(messages)}));
        let expected = format!("span {SPAN}: gen_ai.input.messages: not a list of messages");
        assert_eq!(of(&line), expected);
    }
    let mapping = Mapping { org: None, ..otel() };
    assert_eq!(
        reason(&chat(&json!({})), &mapping),
        format!("span {SPAN}: no organisation: give --org, or name what holds it with --org-attribute")
    );
    let mut line = chat(&json!({}));
    span(&mut line)["startTimeUnixNano"] = (-1).into();
    assert!(of(&line).starts_with("not an unsigned integer"), "{}", of(&line));
}

#[test]
fn half_an_emoji_in_the_text_of_messages_is_read_as_a_replacement() {
    let cut = r#"[{"role":"user","parts":[{"type":"text","content":"hi \ud83d"}]}]"#;
    let line = chat(&json!({"gen_ai.input.messages": text(cut)}));
    assert_eq!(field(&events(&line, &otel())[0], "/data/content"), "hi \u{fffd}");
}

#[test]
fn lines_of_other_signals_are_left_out() {
    for name in ["resourceMetrics", "resourceProfiles"] {
        let line = json!({name: [{"anything": 1}]}).to_string();
        let adapted = adapt(line.as_bytes(), &otel()).unwrap();
        assert_eq!(adapted.left_out, [LeftOut::OtherSignal], "{name}");
    }
}
