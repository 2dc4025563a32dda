//! What commands write and print: the ready file, help.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;
use tempfile::tempdir;

use super::run;
use crate::harness::{Parts, Process, on_free_port, root};

const ENGINE: [&str; 4] = [
    "clickhouse_url",
    "clickhouse_native",
    "clickhouse_user",
    "clickhouse_password",
];
const PARTS_OF_KAFKA: [&str; 3] = ["bootstrap_servers", "topic", "dead_letter_topic"];

/// Asserts that a ready file has the pid and these fields, each not empty, that its owner alone can read it, and that nothing
/// else is left in its directory.
fn assert_ready_file(process: &Process, dir: &Path, names: &[&str]) {
    let path = dir.join("ready.json");
    let ready: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let found: BTreeSet<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    let expected: BTreeSet<&str> = names.iter().copied().chain(["pid"]).collect();
    assert_eq!(found, expected);
    for name in names {
        assert_ne!(ready[name].as_str().unwrap(), "", "{name}");
    }
    assert_eq!(process.ready.pid, process.pid());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it may hold a key");
    let files: BTreeSet<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "data")
        .collect();
    assert_eq!(files, BTreeSet::from(["ready.json".to_owned()]));
}

#[tokio::test]
async fn the_ready_file_of_a_process_that_has_ended_is_removed_at_the_start() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("ready.json");
    // It removes the file, and then refuses to serve this address.
    let args = [
        "dev",
        "clickhouse",
        "--http-addr",
        "0.0.0.0:0",
        "--ready-file",
        path.to_str().unwrap(),
    ];
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    for (pid, stays) in [(ended.id(), false), (std::process::id(), true)] {
        std::fs::write(&path, format!("{{\"pid\": {pid}}}")).unwrap();
        assert_eq!(run(&args, &[]).await.code, Some(1));
        assert_eq!(path.exists(), stays);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ready_file_has_the_fields_that_apply() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    assert_ready_file(&parts.clickhouse, &dir.path().join("clickhouse"), &ENGINE);
    assert_ready_file(&parts.kafka, &dir.path().join("kafka"), &PARTS_OF_KAFKA);

    let store = ["api_url", "clickhouse_url", "database"];
    let ingest = parts.ingest(&[]).await;
    assert_ready_file(
        &ingest,
        &dir.path().join("ingest"),
        &[&PARTS_OF_KAFKA[..], &["group_id"], &store].concat(),
    );
    let serve = parts.serve(&[]).await;
    assert_ready_file(&serve, &dir.path().join("serve"), &store);
    assert_eq!(serve.ready.database.as_deref(), Some("rollcall"));
    assert_eq!(ingest.ready.clickhouse_url, parts.clickhouse.ready.clickhouse_url);
    assert_eq!(
        ingest.ready.bootstrap_servers,
        parts.kafka.ready.bootstrap_servers
    );
    // Both are at these addresses.
    parts.kafka.publish([super::data::event(1)]).await;
    ingest.settled().await;
    assert_eq!(super::data::conversations(&serve).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_is_ready_without_kafka_and_ingest_is_not() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let away = [("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let serve = parts.serve(&away).await;
    let answer = serve
        .fetch(&format!("{}/readyz", serve.ready.api_url.as_deref().unwrap()))
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.text().await.unwrap(),
        r#"{"status":"ready","checks":{"clickhouse":"ok"}}"#
    );
    assert_samples(
        &serve,
        &[
            "rollcall_http_requests_total{route=\"transcripts\",status=\"200\",outcome=\"broken\"} 0",
            "rollcall_build_info{version=",
            "process_resident_memory_bytes ",
        ],
    )
    .await;

    let ingest = parts.ingest(&away).await;
    let answer = reqwest::get(format!("{}/readyz", ingest.ready.api_url.as_deref().unwrap()))
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("kafka is not ready"));
    assert_samples(
        &ingest,
        &[
            "rollcall_records_lost_total 0",
            "rollcall_records_total{outcome=\"rejected\",reason=\"tombstone\"} 0",
            "rollcall_retries_total{what=\"insert\"} 0",
            "rollcall_build_info{version=",
            "process_resident_memory_bytes ",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_counter_that_is_documented_is_there_before_it_counts() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let page = std::fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let words = page.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let mut counters: BTreeSet<&str> = words
        .filter(|word| word.starts_with("rollcall_") && word.ends_with("_total"))
        .collect();
    // Which types are skipped is not known before.
    assert!(counters.remove("rollcall_skipped_records_total"));
    assert!(counters.len() > 10, "{counters:?}");
    assert_samples(&up, &Vec::from_iter(counters)).await;
}

/// Asserts that each of these begins a line of the metrics.
async fn assert_samples(process: &Process, samples: &[&str]) {
    let url = format!("{}/metrics", process.ready.api_url.as_deref().unwrap());
    let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
    for sample in samples {
        assert!(
            metrics.lines().any(|line| line.starts_with(sample)),
            "{sample}: {metrics}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ready_file_of_up_has_every_field() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let rest = ["group_id", "api_url", "database", "api_key"];
    assert_ready_file(&up, dir.path(), &[&PARTS_OF_KAFKA[..], &ENGINE, &rest].concat());
    let health = format!("{}/readyz", up.ready.api_url.as_deref().unwrap());
    assert_eq!(up.fetch(&health).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_overrides_the_environment_and_that_the_file() {
    let dir = tempdir().unwrap();
    let config = dir.path().join("rollcall.toml");
    let toml = "[kafka]\ntopic = \"of-file\"\ndead_letter_topic = \"dead-of-file\"\n[http]\naddr = \"127.0.0.1:1\"\n";
    std::fs::write(&config, toml).unwrap();
    let args = [
        "serve",
        "--config",
        config.to_str().unwrap(),
        "--http-addr",
        "127.0.0.1:0",
    ];
    let variables = [
        ("ROLLCALL__KAFKA__TOPIC", "of-environment"),
        ("ROLLCALL__HTTP__ADDR", "127.0.0.1:2"),
        ("ROLLCALL__CLICKHOUSE__DATABASE", "elsewhere"),
    ];
    let serve = Process::start(dir.path(), &args, &variables).await;
    assert_eq!(serve.ready.database.as_deref(), Some("elsewhere"));
    let url = serve.ready.api_url.clone().unwrap();
    assert!(!url.ends_with(":1") && !url.ends_with(":2"), "{url}");
    assert!(serve.signal("TERM").await.success());

    let kafka = ["dev", "kafka", "--config", config.to_str().unwrap()];
    let kafka = Process::start(dir.path(), &kafka, &variables[..1]).await;
    assert_eq!(kafka.ready.topic.as_deref(), Some("of-environment"));
    assert_eq!(kafka.ready.dead_letter_topic.as_deref(), Some("dead-of-file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn up_logs_its_start_in_a_few_lines() {
    let dir = tempdir().unwrap();
    let log = dir.path().join("log");
    let variables = [("ROLLCALL__LOG__FILTER", "info")];
    let data = dir.path().join("data");
    let args = on_free_port(&["up"], &data);
    let up = Process::start_logging(
        dir.path(),
        &args,
        &variables,
        std::fs::File::create(&log).unwrap().into(),
    )
    .await;
    let unknown = super::data::event(2).replace("chat.message", "CHAT.MESSAGE");
    up.publish([&super::data::event(1), &unknown, &unknown]).await;
    up.settled().await;
    let log = std::fs::read_to_string(log).unwrap();
    let skipped = "event_type=\"CHAT.MESSAGE.created.v1\"";
    for line in ["assigned", "the schema is upgraded", skipped] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
    assert!(log.lines().count() < 15, "{log}");
}

#[tokio::test]
async fn help_names_what_a_command_takes() {
    let common = ["--config", "--data-dir", "--ready-file"];
    let client = ["--config", "--data-dir"];
    let http = ["--http-addr"];
    let cases: &[(&[&str], &[&[&str]])] = &[
        (
            &[],
            &[&[
                "demo",
                "up",
                "ingest",
                "serve",
                "migrate",
                "produce",
                "dev",
                "ROLLCALL__",
            ]],
        ),
        (&["demo"], &[&common, &http, &["--days", "--rate"]]),
        (&["up"], &[&common, &http, &["--kafka", "--clickhouse"]]),
        (&["ingest"], &[&common, &http]),
        (&["serve"], &[&common, &http]),
        (&["migrate"], &[&client]),
        (&["keys"], &[&["create", "list", "revoke"]]),
        (
            &["keys", "create"],
            &[&client, &["--name", "--orgs", "--expires"]],
        ),
        (&["keys", "list"], &[&client, &["--json"]]),
        (&["keys", "revoke"], &[&client, &["<NAME>"]]),
        (&["status"], &[&client, &["--json"]]),
        (
            &["forget"],
            &[&client, &["--org", "--user", "--yes", "--dry-run"]],
        ),
        (
            &["export"],
            &[
                &client,
                &[
                    "--org", "--from", "--to", "--by", "--mentor", "--format", "--output",
                ],
            ],
        ),
        (&["check"], &[&client, &["ingest", "--json"]]),
        (&["verify"], &[&client]),
        (&["rebuild"], &[&client, &["--all"]]),
        (&["replay"], &[&client, &["--dead-letters"]]),
        (
            &["produce"],
            &[&client, &["<FILE>", "standard input", "gzipped", "--force"]],
        ),
        (&["dev"], &[&["clickhouse", "kafka"]]),
        (&["dev", "clickhouse"], &[&common, &http, &["--allow-remote"]]),
        (&["dev", "kafka"], &[&common]),
    ];
    for (command, words) in cases {
        let ended = run(&[command, &["--help"][..]].concat(), &[]).await;
        assert_eq!(ended.code, Some(0), "{command:?}");
        assert_eq!(ended.stderr, "", "{command:?}");
        for word in words.iter().copied().flatten() {
            assert!(
                ended.stdout.contains(word),
                "{command:?} --help does not name {word}"
            );
        }
        let serves = words
            .iter()
            .copied()
            .flatten()
            .any(|word| *word == "--ready-file");
        assert_eq!(ended.stdout.contains("--ready-file"), serves, "{command:?}");
    }
    let version = run(&["--version"], &[]).await;
    assert_eq!(
        version.stdout,
        format!("rollcall {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn settings_are_shown_with_where_they_come_from_and_without_secrets() {
    let file = root().join("deploy/rollcall.toml");
    let arguments = ["config", "--config", file.to_str().unwrap()];
    let variables = [
        ("ROLLCALL__KAFKA__TOPIC", "other.events"),
        ("ROLLCALL__CLICKHOUSE__PASSWORD", "hidden-1"),
        ("ROLLCALL__AUTH__KEYS", "hidden-2=*"),
        ("ROLLCALL__KAFKA__PROPERTIES__SASL_PASSWORD", "hidden-3"),
    ];
    let shown = run(&arguments, &variables).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for line in [
        "topic = \"other.events\" # ROLLCALL__KAFKA__TOPIC",
        "password = \"***\" # ROLLCALL__CLICKHOUSE__PASSWORD",
        "keys = \"***\" # ROLLCALL__AUTH__KEYS",
    ] {
        assert!(shown.stdout.lines().any(|shown| shown == line), "{line}");
    }
    let of_file = shown.stdout.lines().find(|line| line.starts_with("group_id"));
    assert!(of_file.unwrap().ends_with("deploy/rollcall.toml"), "{of_file:?}");
    assert!(!format!("{}{}", shown.stdout, shown.stderr).contains("hidden"));
}
