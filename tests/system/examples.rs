//! Each program of `examples/` publishes the same events, and the endpoints have the same answers.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::tempdir;
use testbed::free_ports;

use crate::{
    harness::{Process, root},
    tools,
};

/// How many events each of them publishes.
pub(crate) const EVENTS: u64 = 5;

/// A program of `examples/`, ready to be run.
struct Example {
    command: &'static [&'static str],
    dir: PathBuf,
}

impl Example {
    fn run(&self, servers: &str) -> Output {
        let [program, args @ ..] = self.command else {
            panic!("a command has a program");
        };
        let mut command = tools::command(program, &self.dir);
        command.args(args).env("KAFKA_BOOTSTRAP_SERVERS", servers);
        output(&mut command)
    }
}

fn output(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}; CONTRIBUTING.md lists what the tests need"))
}

/// The endpoints' answers about the events of the examples, if these are all that there is of an organisation.
pub(crate) async fn assert_answers(process: &Process, org: &str) {
    let days = "start_date=2025-03-02&end_date=2025-03-04";
    let usage = json!([
        { "date": "2025-03-02", "user_count": 0 },
        { "date": "2025-03-03", "user_count": 1 },
        { "date": "2025-03-04", "user_count": 0 },
    ]);
    let cohorts = json!({
        "periods": ["2025-03-02T00:00:00Z", "2025-03-03T00:00:00Z", "2025-03-04T00:00:00Z"],
        "new_users": [0, 1, 0],
        "veteran_users": [0, 1, 0],
    });
    let transcripts = json!([{
        "id": "0855d97f-6033-411a-b1ae-d8cb596c412a",
        "first_message": "Is (ℤ, +) a group?",
        "user_id": "ada",
        "message_count": 2,
        "model": "tutor-1",
        "inserted_at": "2025-03-03T09:30:00.120Z",
        "topics": [{ "name": "group theory" }, { "name": "algebra" }],
        "user_sentiment": "positive",
    }]);
    let questions: [(String, Value); 3] = [
        (format!("usage-summary/?{days}"), usage),
        (format!("user-cohorts-over-time/?{days}"), cohorts),
        ("transcripts/?mentor=euclid".to_owned(), transcripts),
    ];
    for (question, expected) in questions {
        assert_eq!(process.ask(org, &question).await, expected, "{question}");
    }
}

/// Runs it twice, and once without a broker.
async fn publishes_the_events(example: Example) {
    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    for runs in 1..=2 {
        let output = example.run(process.ready.bootstrap_servers.as_deref().unwrap());
        assert!(output.status.success(), "{output:?}");
        process.settled().await;
        let kept = process.metric("rollcall_records_total{outcome=\"kept\"").await;
        assert_eq!(kept, runs * EVENTS);
        assert_eq!(process.metric("rollcall_records_total").await, kept);
        assert_answers(&process, "acme").await;
    }
    let [nobody] = free_ports();
    let output = example.run(&nobody.to_string());
    assert!(!output.status.success(), "nothing was delivered: {output:?}");
}

/// The directory of a language in `examples/`.
fn sources(language: &str) -> PathBuf {
    root().join("examples").join(language)
}

fn installed(language: &str, files: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    tools::installed_from(&sources(language), &format!("example-{language}"), files, install)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_publishes_what_the_endpoints_answer() {
    publishes_the_events(Example {
        command: &["bin/python", "publish.py"],
        dir: installed(
            "python",
            &["requirements.txt", "publish.py"],
            tools::install_python,
        ),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_example_publishes_what_the_endpoints_answer() {
    let files = ["package.json", "package-lock.json", "tsconfig.json", "publish.ts"];
    publishes_the_events(Example {
        command: &["npm", "start"],
        dir: installed("typescript", &files, tools::install_node),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_java_example_publishes_what_the_endpoints_answer() {
    publishes_the_events(Example {
        command: &["mvn", "--quiet", "--batch-mode", "compile", "exec:java"],
        dir: installed("java", &["pom.xml", "src/main/java/Publish.java"], |_| ()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_example_publishes_what_the_endpoints_answer() {
    publishes_the_events(Example {
        command: &[
            env!("CARGO"),
            "run",
            "--quiet",
            "--locked",
            "--target-dir",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/example-rust"),
        ],
        dir: sources("rust"),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.26, which CI has not"]
async fn the_go_example_publishes_what_the_endpoints_answer() {
    publishes_the_events(Example {
        command: &["go", "run", "."],
        dir: sources("go"),
    })
    .await;
}
