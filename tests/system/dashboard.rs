//! The dashboard in a real browser, on a running Rollcall.

use std::{
    io::{BufRead, BufReader, Read, Seek, Write},
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::task::spawn_blocking;

use crate::{
    harness::{Process, ROLLCALL, Running, on_free_port},
    tools,
};

/// The organisation of the demo that is looked at.
const DEMO_ORG: &str = "riverside-college";
/// A key of another organisation.
const OTHER_KEY: &str = "k3y";

/// What a script asks for while it runs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Publish events, and wait until they are settled.
    Publish(Vec<String>),
    /// Send Rollcall a signal.
    Signal(String),
    /// Stop Rollcall.
    Stop,
    /// Start it again where it was.
    Start,
}

/// Runs a script of `tests/system/browser`, which must succeed, and does what it asks for.
async fn run(script: &str, setting: &Value, mut act: impl AsyncFnMut(Action)) {
    let mut report = tempfile::tempfile().unwrap();
    let child = Command::new("node")
        .args([
            "--test-reporter=spec",
            "--test-reporter-destination=stderr",
            script,
        ])
        .current_dir(tools::browser())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(report.try_clone().unwrap())
        .spawn()
        .expect("node runs: CONTRIBUTING.md lists what the tests need");
    let mut node = Running(child);
    let mut answers = node.0.stdin.take().unwrap();
    let mut requests = BufReader::new(node.0.stdout.take().unwrap()).lines();
    writeln!(answers, "{setting}").unwrap();
    loop {
        let next = spawn_blocking(move || (requests.next(), requests));
        let (request, rest) = next.await.unwrap();
        requests = rest;
        let Some(request) = request else { break };
        act(serde_json::from_str(&request.unwrap()).unwrap()).await;
        // A script that has failed meanwhile says so itself.
        let _ended = writeln!(answers, "null");
    }
    let status = node.end().await;
    let mut text = String::new();
    report.rewind().unwrap();
    report.read_to_string(&mut text).unwrap();
    assert!(status.success(), "{script}: {status}\n{text}");
    eprintln!("{text}");
}

/// Runs a script that only looks.
async fn look(script: &str, setting: &Value) {
    run(script, setting, async |action| {
        panic!("{script} asks for {action:?}")
    })
    .await;
}

/// What a script must know.
fn setting(process: &Process, org: &str) -> Value {
    json!({ "url": process.ready.api_url, "key": process.ready.api_key, "org": org })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_the_answers_of_the_api_soon_and_to_every_reader() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let mut command = Command::new(ROLLCALL);
    command.stdout(Stdio::null());
    // Without live traffic, so that an answer stays what it is.
    let args = on_free_port(&["demo", "--rate", "0"], &data);
    let demo = Process::start_by(command, dir.path(), &args, &[], Stdio::inherit()).await;
    let setting = setting(&demo, DEMO_ORG);
    look("speed.mjs", &setting).await;
    tokio::join!(look("answers.mjs", &setting), look("readers.mjs", &setting));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_follows_what_is_published_and_says_what_it_has_no_answer_to() {
    let dir = tempdir().unwrap();
    let keys = format!("{OTHER_KEY}=elsewhere");
    let variables = [
        ("ROLLCALL__AUTH__KEYS", keys.as_str()),
        ("ROLLCALL__AUTH__ORGS", "newborn"),
    ];
    let up = Process::up_with(dir.path(), &variables).await;
    let mut setting = setting(&up, "acme");
    setting["emptyOrg"] = "newborn".into();
    setting["otherKey"] = OTHER_KEY.into();
    let address = up.ready.api_url.clone().unwrap();
    let address = address.trim_start_matches("http://");
    let mut running = Some(up);
    run("live.mjs", &setting, async |action| match action {
        Action::Publish(events) => {
            let up = running.as_ref().unwrap();
            up.publish(events).await;
            up.settled().await;
        }
        Action::Signal(name) => running.as_ref().unwrap().send(&name),
        Action::Stop => assert!(running.take().unwrap().signal("TERM").await.success()),
        Action::Start => running = Some(start_again(dir.path(), address, &variables).await),
    })
    .await;
}

/// Starts `rollcall up` on its data and its address of before.
async fn start_again(dir: &Path, address: &str, variables: &[(&str, &str)]) -> Process {
    let data = dir.join("data");
    let args = ["up", "--http-addr", address, "--data-dir", data.to_str().unwrap()];
    Process::start(dir, &args, variables).await
}
