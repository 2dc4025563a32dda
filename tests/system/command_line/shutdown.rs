//! How commands end on SIGTERM, SIGINT and SIGHUP.

use std::{
    io::Write,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::tempdir;
use tokio::net::TcpListener;

use super::data::event;
use crate::{
    harness::{Parts, Process, ROLLCALL, Running, until},
    tools,
};

/// How long a command may take to end.
const LIMIT: Duration = Duration::from_secs(10);

/// Sends a signal to a process, which must end in time and with success.
async fn assert_ends(process: Process, signal: &str, what: &str) {
    let began = Instant::now();
    let status = process.signal(signal).await;
    assert_eq!(status.code(), Some(0), "{what}, {signal}: {status}");
    assert!(
        began.elapsed() < LIMIT,
        "{what}, {signal}: after {:?}",
        began.elapsed()
    );
}

/// A connection with half a request on it, of which the rest never comes.
fn half_a_request(url: &str) -> TcpStream {
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x").unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_ends_in_time() {
    for signal in ["TERM", "INT", "HUP"] {
        let dir = tempdir().unwrap();
        let parts = Parts::start(dir.path()).await;
        let (ingest, serve) = (parts.ingest(&[]).await, parts.serve(&[]).await);
        parts.kafka.publish([event(1)]).await;
        ingest.settled().await;
        let _half = half_a_request(serve.ready.api_url.as_deref().unwrap());
        assert_ends(serve, signal, "serve").await;
        assert_ends(ingest, signal, "ingest").await;
        let _other_half = half_a_request(parts.clickhouse.ready.clickhouse_url.as_deref().unwrap());
        assert_ends(parts.clickhouse, signal, "dev clickhouse").await;
        assert_ends(parts.kafka, signal, "dev kafka").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_ends_in_time_idle_or_under_load() {
    let dir = tempdir().unwrap();
    for signal in ["TERM", "INT"] {
        let up = Process::up(dir.path()).await;
        assert_ends(up, signal, "up, idle").await;

        let up = Process::up(dir.path()).await;
        let _half = half_a_request(up.ready.api_url.as_deref().unwrap());
        let _other_half = half_a_request(up.ready.clickhouse_url.as_deref().unwrap());
        let settled = up.metric("rollcall_records_total").await;
        // More than can be ingested before the end.
        let publish = up.publish((0..200_000).map(event));
        let some = until("some are settled", async || {
            (up.metric("rollcall_records_total").await > settled).then_some(())
        });
        tokio::select! {
            () = publish => {}
            () = some => {}
        }
        assert_ends(up, signal, "up, under load").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_whose_terminal_is_closed_removes_its_data() {
    let dir = tempdir().unwrap();
    let args = [
        "--hang-up",
        "Ctrl-C stops it",
        ROLLCALL,
        "demo",
        "--days",
        "1",
        "--http-addr",
        "127.0.0.1:0",
    ];
    let mut demo = Command::new(tools::python().join("bin/python"));
    demo.arg(tools::python().join("terminal.py")).args(args);
    let demo = demo
        .env("TMPDIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    assert!(Running(demo).end().await.success(), "after {:?}", began.elapsed());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nohup_lets_a_command_outlive_its_terminal() {
    let dir = tempdir().unwrap();
    let ready_file = dir.path().join("ready.json");
    let kafka = Command::new("nohup")
        .args([
            ROLLCALL,
            "dev",
            "kafka",
            "--ready-file",
            ready_file.to_str().unwrap(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut kafka = Running(kafka);
    until("it is ready", async || ready_file.exists().then_some(())).await;
    kafka.send("HUP");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(kafka.0.try_wait().unwrap().is_none(), "it still runs");
    assert!(kafka.signal("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_wait_for_kafka_and_clickhouse_end_in_time() {
    let dir = tempdir().unwrap();
    // Port 9, discard, where nothing listens.
    let nowhere = [
        ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9"),
        ("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:9"),
        ("ROLLCALL__LOG__FILTER", "off"),
    ];
    for role in ["ingest", "serve"] {
        let waiting = Process::start(dir.path(), &[role, "--http-addr", "127.0.0.1:0"], &nowhere).await;
        assert_ends(waiting, "TERM", role).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_ends_at_once_while_it_waits_for_an_answer_of_kafka() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = silent.local_addr().unwrap().to_string();
    let ingest = parts
        .ingest(&[("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", &servers)])
        .await;
    let mut connections = Vec::new();
    let waits = until("it has waited once without an answer", async || {
        (ingest.metric("rollcall_waiting{what=\"kafka\"}").await == 1).then_some(())
    });
    let accept_all = async {
        loop {
            connections.push(silent.accept().await.unwrap());
        }
    };
    tokio::select! {
        () = waits => {}
        () = accept_all => {}
    }
    // It tries again, with a new client.
    let _connection = silent.accept().await.unwrap();
    let began = Instant::now();
    assert_eq!(ingest.signal("TERM").await.code(), Some(0));
    assert!(began.elapsed() < LIMIT / 2, "after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn produce_ends_in_time_while_its_input_stays_open() {
    let dir = tempdir().unwrap();
    let kafka = Process::start(dir.path(), &["dev", "kafka"], &[]).await;
    for (signal, lines) in [("TERM", 5), ("INT", 10)] {
        let (mut produce, _input) = produce(&kafka, &dir.path().join("out"));
        // It listens for signals once it has read the first lines.
        let probe = consumer::Probe::new(&kafka.kafka()).unwrap();
        until("the first lines are published", async || {
            let progress = probe.progress(LIMIT).await.unwrap();
            (progress.iter().map(|partition| partition.end).sum::<i64>() == lines).then_some(())
        })
        .await;
        let began = Instant::now();
        let status = produce.signal(signal).await;
        assert_eq!(status.code(), Some(0), "{signal}: {status}");
        assert!(began.elapsed() < LIMIT, "{signal}: after {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn produce_ends_in_time_while_kafka_does_not_answer() {
    let dir = tempdir().unwrap();
    let kafka = Process::start(dir.path(), &["dev", "kafka"], &[]).await;
    let (mut produce, mut input) = produce(&kafka, &dir.path().join("out"));
    let probe = consumer::Probe::new(&kafka.kafka()).unwrap();
    until("the first lines are published", async || {
        let progress = probe.progress(LIMIT).await.unwrap();
        (progress.iter().map(|partition| partition.end).sum::<i64>() == 5).then_some(())
    })
    .await;
    kafka.send("STOP");
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writes = tokio::task::spawn_blocking(move || {
        let lines = (event(6) + "\n").repeat(1_000);
        while input.write_all(lines.as_bytes()).is_ok() {
            count.fetch_add(lines.len(), Ordering::Relaxed);
        }
    });
    until("it has read as much as it may keep in memory", async || {
        (written.load(Ordering::Relaxed) > 32 << 20).then_some(())
    })
    .await;
    let began = Instant::now();
    let status = produce.signal("TERM").await;
    assert_eq!(
        status.code(),
        Some(1),
        "not everything that it read is published: {status}"
    );
    assert!(began.elapsed() < LIMIT, "after {:?}", began.elapsed());
    writes.await.unwrap();
}

/// Starts `produce -` on an input that has five lines and stays open.
fn produce(kafka: &Process, out: &Path) -> (Running, std::process::ChildStdin) {
    let servers = kafka.ready.bootstrap_servers.as_deref().unwrap();
    let mut child = Command::new(ROLLCALL)
        .args(["produce", "-"])
        .env("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers)
        .stdin(Stdio::piped())
        .stdout(std::fs::File::create(out).unwrap())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = (0..5).map(|number| event(number) + "\n").collect();
    input.write_all(lines.as_bytes()).unwrap();
    (Running(child), input)
}
