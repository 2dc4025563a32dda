//! Traces and observations. The files have the fields of the exports of Langfuse 3 to blob storage, and of a page of
//! observations of the API of version 4.

use std::collections::BTreeSet;

use adapters::{Format, LeftOut, Mapping, Tags, adapt};
use serde_json::{Value, json};

use super::{adapted, field, mapping, reason, summary};

fn langfuse() -> Mapping {
    mapping(Format::Langfuse)
}

fn events(line: &Value) -> Vec<String> {
    adapt(line.to_string().as_bytes(), &langfuse()).unwrap().events
}

fn trace(fields: &Value) -> Value {
    let mut trace =
        json!({"id": "t1", "timestamp": "2026-03-02T09:30:00.120Z", "input": "hi", "output": "hello"});
    for (key, value) in fields.as_object().unwrap() {
        trace[key] = value.clone();
    }
    trace
}

#[test]
fn traces_become_questions_and_answers() {
    let adapted = adapted("langfuse-traces.jsonl", &langfuse());
    assert_eq!(
        summary(&adapted.events),
        [
            "2026-03-02T09:30:00.120Z acme c0 user ada algebra - \"what is a group?\"",
            "2026-03-02T09:30:00.121Z acme c0 assistant ada algebra - \"a set with an operation\"",
            "2026-03-02T09:31:10.500Z acme c0 user ada algebra - \"and a ring?\"",
            "2026-03-02T09:31:10.501Z acme c0 assistant ada algebra - \"a group with a second operation\"",
            "2026-03-03T23:59:59.900Z acme c1 user bob 7 - \"what is a circle?\"",
            "2026-03-03T23:59:59.901Z acme c1 assistant bob 7 - \"all points at one distance\"",
            "2026-03-04T12:00:00.000Z acme c2 user - - - \"anyone there?\"",
            "2026-03-05T08:00:00.000Z acme c3 user carol algebra - \"\"",
            "2026-03-05T08:00:00.001Z acme c3 assistant carol algebra - \"\"",
        ]
    );
    assert_eq!(adapted.left_out, [LeftOut::Internal]);
    let conversation = field(&adapted.events[4], "/data/conversation_id");
    assert_eq!(conversation, "0855d97f-6033-411a-b1ae-d8cb596c412a");
}

#[test]
fn root_observations_give_the_messages_of_their_traces() {
    let observed = adapted("langfuse-observations.json", &langfuse());
    assert_eq!(
        summary(&observed.events),
        [
            "2026-03-02T09:30:00.120Z acme c0 user ada algebra - \"what is a group?\"",
            "2026-03-02T09:30:01.940Z acme c0 assistant ada algebra - \"a set with an operation\"",
            "2026-03-02T09:31:10.500Z acme c0 user ada algebra - \"and a ring?\"",
            "2026-03-02T09:31:12.000Z acme c0 assistant ada algebra gpt-4o \"a group with a second operation\"",
            "2026-03-03T23:59:59.900Z acme c1 user bob 7 - \"what is a circle?\"",
            "2026-03-03T23:59:59.901Z acme c1 assistant bob 7 - \"all points at one distance\"",
            "2026-03-04T12:00:00.000Z acme c2 user - - - \"anyone there?\"",
        ]
    );
    assert_eq!(observed.left_out, [LeftOut::Nested, LeftOut::OtherType]);
    let traced = adapted("langfuse-traces.jsonl", &langfuse());
    let ids = |events: &[String], pointer| -> BTreeSet<String> {
        events
            .iter()
            .map(|event| field(event, pointer).to_string())
            .collect()
    };
    for pointer in ["/data/message_id", "/data/conversation_id"] {
        let (observed, traced) = (ids(&observed.events, pointer), ids(&traced.events, pointer));
        assert!(observed.is_subset(&traced), "{pointer}: {observed:?} {traced:?}");
    }
}

#[test]
fn an_observation_that_does_not_know_its_session_is_left_out() {
    let observation = json!({
        "id": "o1", "trace_id": "t1", "type": "GENERATION", "start_time": "2026-03-02 09:30:00.120",
        "parent_observation_id": "", "input": "hi", "output": "hello", "provided_model_name": "gpt-4o",
    });
    let adapted = adapt(observation.to_string().as_bytes(), &langfuse()).unwrap();
    assert!(adapted.events.is_empty(), "{adapted:?}");
    assert_eq!(adapted.left_out, [LeftOut::WithoutSession]);
}

#[test]
fn lists_and_pages_give_what_their_items_give() {
    let traces = [trace(&json!({})), trace(&json!({"id": "t2"}))];
    let single: Vec<String> = traces.iter().flat_map(events).collect();
    assert_eq!(single.len(), 4);
    assert_eq!(events(&json!(traces)), single);
    assert_eq!(events(&json!({"data": traces, "meta": {"page": 1}})), single);
}

#[test]
fn inputs_and_outputs_of_exports_read_as_those_of_the_api() {
    for (api, export, expected) in [
        (json!("hi"), json!("hi"), "hi"),
        (json!("hi"), json!("\"hi\""), "hi"),
        (json!(42), json!("42"), "42"),
        (json!({"query": "hi"}), json!("{\"query\":\"hi\"}"), "hi"),
        (
            json!({"args": ["hi"], "kwargs": {}}),
            json!("{\"args\":[\"hi\"],\"kwargs\":{}}"),
            "{\"args\":[\"hi\"],\"kwargs\":{}}",
        ),
        (
            json!([{"role": "user", "content": "hi"}]),
            json!("[{\"role\":\"user\",\"content\":\"hi\"}]"),
            "hi",
        ),
    ] {
        for input in [api, export] {
            let events = events(&trace(&json!({"input": input})));
            assert_eq!(field(&events[0], "/data/content"), expected, "{input}");
        }
    }
}

#[test]
fn the_model_is_that_of_the_latest_generation_in_the_trace() {
    let generation =
        |time: &str, model: &str| json!({"type": "GENERATION", "startTime": time, "model": model});
    let detailed = trace(&json!({"observations": [
        generation("2026-03-02T09:30:02.000Z", "late"), generation("2026-03-02T09:30:01.000Z", "early"),
        {"type": "EMBEDDING", "startTime": "2026-03-02T09:30:03.000Z", "model": "ada-002"},
    ]}));
    assert_eq!(field(&events(&detailed)[1], "/data/model"), "late");
    let listed = trace(&json!({"observations": ["o1", "o2"]}));
    assert_eq!(events(&listed).len(), 2);
}

#[test]
fn tags_become_topics_if_they_are_said_to_be() {
    let tagged = trace(&json!({"tags": ["algebra", "rings"]}));
    assert_eq!(events(&tagged).len(), 2);
    let mapping = Mapping {
        tags: Tags::Topics,
        ..langfuse()
    };
    let adapted = adapt(tagged.to_string().as_bytes(), &mapping).unwrap();
    assert_eq!(
        summary(&adapted.events[2..]),
        ["2026-03-02T09:30:00.120Z acme c0 [\"algebra\", \"rings\"] neutral"]
    );
    let untagged = trace(&json!({"tags": []})).to_string();
    assert_eq!(adapt(untagged.as_bytes(), &mapping).unwrap().events.len(), 2);
}

#[test]
fn org_and_mentor_are_read_from_the_metadata_that_the_mapping_names() {
    let mapping = Mapping {
        org_attribute: Some("school".to_owned()),
        mentor_attribute: Some("tutor".to_owned()),
        org: None,
        ..langfuse()
    };
    let line = trace(&json!({"metadata": {"school": "north", "tutor": 7}}));
    let adapted = adapt(line.to_string().as_bytes(), &mapping).unwrap();
    assert_eq!(
        summary(&adapted.events[..1]),
        ["2026-03-02T09:30:00.120Z north c0 user - 7 - \"hi\""]
    );
    assert_eq!(
        reason(&trace(&json!({})), &mapping),
        "item t1: no organisation: give --org, or name what holds it with --org-attribute"
    );
}

#[test]
fn a_line_that_cannot_be_adapted_is_named_with_its_reason() {
    for (line, expected) in [
        (
            json!({"id": "s1", "traceId": "t1", "timestamp": "x", "value": 1}),
            "item s1: neither a trace nor an observation",
        ),
        (json!({"name": "x"}), "item ?: missing field `id`"),
        (
            json!(7),
            "item ?: invalid type: integer `7`, expected a trace or an observation",
        ),
        (
            trace(&json!({"timestamp": "yesterday"})),
            "item t1: timestamp: not a time",
        ),
        (
            trace(&json!({"userId": []})),
            "item t1: invalid type: sequence, expected a string",
        ),
    ] {
        assert_eq!(reason(&line, &langfuse()), expected, "{line}");
    }
}
