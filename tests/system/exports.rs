//! What other systems export, published by `produce` and asked for.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::{Ended, run},
    harness::{Process, root},
};

/// A file of exports, as the tests of the adapters read it.
fn file(name: &str) -> PathBuf {
    root().join("crates/adapters/tests/data").join(name)
}

async fn produce(up: &Process, options: &[&str], file: &Path) -> Ended {
    let servers = up.ready.bootstrap_servers.as_deref().unwrap();
    let command = [&["produce"][..], options, &[file.to_str().unwrap()]].concat();
    run(&command, &[("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers)]).await
}

/// Publishes a file twice, and compares what is printed and then answered each time.
async fn published_twice(options: &[&str], name: &str, printed: &[&str], answers: &[(&str, Value)]) {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    for time in ["first", "second"] {
        let ended = produce(&up, options, &file(name)).await;
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), printed.len(), "{ended:?}");
        for (line, expected) in lines.iter().zip(printed) {
            assert!(line.starts_with(expected), "{expected} is not in: {ended:?}");
        }
        up.settled().await;
        assert_eq!(up.metric("rollcall_records_total{outcome=\"rejected\"").await, 0);
        for (endpoint, expected) in answers {
            let answer = up.ask("acme", endpoint).await;
            assert_eq!(answer, *expected, "{endpoint}, the {time} time");
        }
    }
}

/// A conversation as `transcripts/` lists it, without an annotation.
fn conversation(id: &str, inserted_at: &str, user: &str, first: &str, count: u32, model: &str) -> Value {
    json!({
        "id": id, "inserted_at": inserted_at, "user_id": user, "first_message": first, "message_count": count,
        "model": model, "topics": [], "user_sentiment": "unknown",
    })
}

/// Of how many users a day said something, from the second of March on.
fn usage(counts: [u32; 4]) -> (&'static str, Value) {
    let days = ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"];
    let days = days.iter().zip(counts);
    let days: Value = days
        .map(|(day, count)| json!({"date": day, "user_count": count}))
        .collect();
    ("usage-summary/?start_date=2026-03-02&end_date=2026-03-05", days)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_chats_are_answered_for_exactly_however_often_they_are_published() {
    let model = "gpt-4o-mini-2024-07-18";
    let (own, time) = ("0855d97f-6033-411a-b1ae-d8cb596c412a", "2026-03-03T23:59:59.950Z");
    let bob = conversation(own, time, "bob", "what is a circle?", 2, model);
    let (id, time) = ("7e4ee732-48b7-56f1-a0e5-8172ec2c149f", "2026-03-05T08:00:00.001Z");
    let carol = conversation(id, time, "carol", "", 2, model);
    let (id, time) = ("1a4b9ab4-fbad-5805-ae3c-d1b4c7c7abf3", "2026-03-04T12:00:00.000Z");
    let anonymous = conversation(id, time, "anonymous", "anyone there?", 2, model);
    let (id, time) = ("19392b59-ba41-5c00-9ba9-6335b41af203", "2026-03-02T09:30:00.000Z");
    let ada = conversation(id, time, "ada", "what is a group?", 6, model);
    let answers = [
        ("transcripts/?mentor=geometry", json!([bob])),
        ("transcripts/", json!([carol, anonymous, bob, ada])),
        usage([1, 1, 1, 1]),
        (
            "user-cohorts-over-time/?start_date=2026-03-02&end_date=2026-03-05&mentor_id=algebra&aggregation=weekly",
            json!({"periods": ["2026-03-02T00:00:00Z"], "new_users": [2], "veteran_users": [0]}),
        ),
    ];
    let printed = [
        "published 12 events to chat.events",
        "left out 6 spans that are no chat",
    ];
    let options = ["--format", "otel-genai", "--org", "acme"];
    published_twice(&options, "otel-spans.jsonl", &printed, &answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_langfuse_are_answered_for_exactly_however_often_they_are_published() {
    let (own, time) = ("0855d97f-6033-411a-b1ae-d8cb596c412a", "2026-03-03T23:59:59.900Z");
    let bob = conversation(own, time, "bob", "what is a circle?", 2, "");
    let (id, time) = ("6c7abc8e-ead4-5c27-813a-204a4076c379", "2026-03-05T08:00:00.000Z");
    let carol = conversation(id, time, "carol", "", 2, "");
    let (id, time) = ("2fd4d3a0-5ee9-5b1e-9a3a-d9f175730bd6", "2026-03-04T12:00:00.000Z");
    let anonymous = conversation(id, time, "anonymous", "anyone there?", 1, "");
    let (id, time) = ("6ef554aa-cf77-5fbd-8de5-6bcfe2fb2965", "2026-03-02T09:30:00.120Z");
    let mut ada = conversation(id, time, "ada", "what is a group?", 4, "");
    ada["topics"] = json!([{"name": "group theory"}, {"name": "rings"}]);
    ada["user_sentiment"] = "neutral".into();
    let answers = [
        ("transcripts/?mentor=7", json!([bob])),
        ("transcripts/?topics=rings", json!([ada])),
        ("transcripts/", json!([carol, anonymous, bob, ada])),
        usage([1, 1, 0, 1]),
        (
            "user-cohorts-over-time/?start_date=2026-03-05&end_date=2026-03-05",
            json!({"periods": ["2026-03-05T00:00:00Z"], "new_users": [1], "veteran_users": [0]}),
        ),
    ];
    let printed = [
        "published 11 events to chat.events",
        "left out 1 calls of models by Langfuse itself",
    ];
    let options = ["--format", "langfuse", "--org", "acme", "--tags-as-topics"];
    published_twice(&options, "langfuse-traces.jsonl", &printed, &answers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_with_a_line_that_has_no_events_is_published_when_forced_alone() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let file = dir.path().join("traces.jsonl");
    let trace = |user: &str| json!({"id": "t1", "timestamp": "2026-03-02T09:30:00Z", "userId": user, "input": "hi", "output": "hello"});
    let input = format!(
        "{}\n{}\n{{\"id\":\"t2\"}}\n",
        trace("ada"),
        trace(&"x".repeat(256))
    );
    std::fs::write(&file, input).unwrap();
    let options = ["--format", "langfuse", "--org", "acme"];
    let ended = produce(&up, &options, &file).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    for words in [
        "nothing is published: ingest would reject 2 of 3 lines",
        "traces or observations of Langfuse",
        "line 2: data.user_id: ",
        "line 3: item t2: neither a trace nor an observation",
        "--force",
    ] {
        assert!(
            ended.stderr.contains(words),
            "{words} is not in: {}",
            ended.stderr
        );
    }
    let ended = produce(&up, &[&options[..], &["--force"]].concat(), &file).await;
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(
        lines[0].starts_with("published 4 events to chat.events"),
        "{ended:?}"
    );
    assert_eq!(lines[1..], ["left out 1 lines that cannot be read"]);
    assert!(
        ended.stderr.contains("neither a trace nor an observation"),
        "{ended:?}"
    );
    up.settled().await;
    assert_eq!(up.metric("rollcall_records_total{outcome=\"rejected\"").await, 2);
}

#[tokio::test]
async fn options_that_say_nothing_in_a_format_are_refused_as_is_a_missing_organisation() {
    for (options, expected) in [
        (&["--org", "acme"][..], "--org says nothing with this --format"),
        (
            &["--format", "langfuse", "--org", "acme", "--operation", "chat"],
            "--operation says nothing",
        ),
        (
            &["--format", "otel-genai", "--org", "acme", "--tags-as-topics"],
            "--tags-as-topics says nothing",
        ),
        (&["--format", "langfuse"], "--org or --org-attribute is missing"),
        (&["--format", "avro"], "'avro'"),
    ] {
        let ended = run(&[&["produce"][..], options, &["-"]].concat(), &[]).await;
        assert_ne!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stderr.contains(expected),
            "{expected} is not in: {}",
            ended.stderr
        );
    }
}
