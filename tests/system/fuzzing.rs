//! Schemathesis, which tests an API with requests that it makes from the description, finds no fault in ours.

#![expect(clippy::print_stdout, reason = "the report of a run is its output")]

use tempfile::TempDir;

use crate::{clients::Running, tools};

/// What must be answered well at least once, as metrics name it.
const ROUTES: [&str; 7] = [
    "transcripts",
    "usage-summary",
    "user-cohorts-over-time",
    "mentors",
    "topics",
    "messages",
    "pipeline",
];

/// Starts a system with events, has Schemathesis send so many requests to each operation besides those that it always sends,
/// and returns how many it sent.
async fn fuzz(examples: &str, more: &[&str]) -> u32 {
    let system = Running::start().await;
    let files = ["requirements.txt", "schemathesis.toml", "hooks.py"];
    let installed = tools::installed("schemathesis", &files, tools::install_python);
    let url = system.process.ready.api_url.clone().unwrap() + "/openapi.json";
    let key = format!("API_KEY={}", system.process.ready.api_key.as_deref().unwrap());
    let hooks = format!("HOOKS={}", installed.join("hooks.py").display());
    let (program, config) = (installed.join("bin/st"), installed.join("schemathesis.toml"));
    let (program, config) = (program.to_str().unwrap(), config.to_str().unwrap());
    let command = [
        &key,
        &hooks,
        program,
        "--no-color",
        "--config-file",
        config,
        "run",
        &url,
    ];
    let options = ["--checks", "all", "--max-examples", examples, "--workers", "4"];
    // What it keeps of a run for the next goes with the test.
    let dir = TempDir::new().unwrap();
    let output = tools::run("env", [&command[..], &options, more].concat(), dir.path(), None);
    let output = String::from_utf8(output).unwrap();
    println!("{output}");
    for route in ROUTES {
        let sample = format!("rollcall_http_requests_total{{route=\"{route}\",status=\"200\"");
        assert!(
            system.process.metric(&sample).await > 0,
            "{route} never answered 200"
        );
    }
    let cases = output
        .lines()
        .find_map(|line| line.trim().split_once(" generated"));
    cases.unwrap().0.replace(',', "").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_fault_with_some_hundred_requests() {
    // The same ones each time.
    assert!(fuzz("3", &["--seed", "1"]).await >= 300);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes up to half an hour"]
async fn schemathesis_finds_no_fault_with_ten_thousand_requests() {
    assert!(fuzz("1000", &[]).await >= 10_000);
}
