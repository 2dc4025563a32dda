//! What concerns whole processes: directories in use, ends, and kills. Each runs this binary again.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use embedded::{Engine, EngineError};
use tempfile::TempDir;

use crate::fixture::{engine, insert, library, statement, text};

/// Names the data directory to a test that is run as a process of its own; without it such a test does nothing.
const DATA: &str = "EMBEDDED_TEST_DATA";

fn child(test: &str, data: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            &format!("process::{test}"),
            "--exact",
            "--nocapture",
            "--include-ignored",
        ])
        .env(DATA, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a word from this test to its own child process"
)]
fn data() -> Option<std::path::PathBuf> {
    std::env::var_os(DATA).map(Into::into)
}

/// The child's output once it says that it is ready.
fn ready(child: &mut Child) -> BufReader<ChildStdout> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("READY") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child ended early");
    }
    output
}

#[expect(clippy::print_stdout, reason = "a word from a child process to its test")]
fn say_ready() {
    println!("READY");
}

async fn open_with_rows(data: &Path) -> Engine {
    let engine = Engine::open(&library(), data).unwrap();
    text(
        &engine,
        "CREATE TABLE IF NOT EXISTS kept (a UInt64) ENGINE = MergeTree ORDER BY a",
    )
    .await;
    let mut insert = insert(&engine, "INSERT INTO kept", "TSV").await;
    insert.append("1\n2\n".into()).await.unwrap();
    insert.finish().await.unwrap();
    text(&engine, "INSERT INTO kept VALUES (3)").await;
    engine
}

#[tokio::test]
async fn child_that_inserts_and_waits() {
    let Some(data) = data() else { return };
    let engine = open_with_rows(&data).await;
    say_ready();
    // Until it is killed.
    text(&engine, "SELECT count() FROM system.numbers").await;
}

#[tokio::test]
async fn child_that_reads() {
    let Some(data) = data() else { return };
    let engine = Engine::open(&library(), &data).unwrap();
    assert_eq!(text(&engine, "SELECT count(), sum(a) FROM kept").await, "3\t6\n");
}

#[tokio::test]
async fn child_that_leaves_in_the_middle() {
    let Some(data) = data() else { return };
    let engine = open_with_rows(&data).await;
    let mut rows = engine
        .run(statement("SELECT number FROM system.numbers"))
        .await
        .unwrap();
    rows.next().await.unwrap();
    let insert = insert(&engine, "INSERT INTO kept", "TSV").await;
    let query = "SELECT count() FROM system.numbers WHERE sipHash64(number) = 1";
    let run = engine.run(statement(query));
    tokio::time::timeout(std::time::Duration::from_millis(50), run)
        .await
        .unwrap_err();
    drop((engine, rows, insert));
}

#[tokio::test]
async fn child_that_opens_again() {
    let Some(data) = data() else { return };
    for _ in 0..3 {
        drop(open_with_rows(&data).await);
    }
    let other = TempDir::new().unwrap();
    let engine = open_with_rows(other.path()).await;
    assert!(matches!(
        Engine::open(&library(), &data),
        Err(EngineError::Taken { .. })
    ));
    assert!(Engine::is_open());
    drop(engine);
    assert!(!Engine::is_open());
    let engine = Engine::open(&library(), &data).unwrap();
    assert_eq!(text(&engine, "SELECT count() FROM kept").await, "9\n");
}

#[tokio::test]
async fn child_that_finds_the_directory_in_use() {
    let Some(data) = data() else { return };
    let error = Engine::open(&library(), &data).unwrap_err();
    assert!(matches!(error, EngineError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
}

fn succeeds(test: &str, data: &Path) {
    let mut child = child(test, data);
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{test} ended with {status}: {output}");
    assert!(output.contains("1 passed"), "{output}");
}

#[test]
fn acknowledged_rows_survive_a_kill() {
    let data = TempDir::new().unwrap();
    let mut child = child("child_that_inserts_and_waits", data.path());
    let output = ready(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(output);
    succeeds("child_that_reads", data.path());
}

#[test]
fn a_directory_in_use_is_an_error_and_no_crash() {
    let data = TempDir::new().unwrap();
    let mut child = child("child_that_inserts_and_waits", data.path());
    let output = ready(&mut child);
    succeeds("child_that_finds_the_directory_in_use", data.path());
    child.kill().unwrap();
    child.wait().unwrap();
    drop(output);
}

#[test]
fn a_process_that_leaves_in_the_middle_ends_cleanly() {
    let data = TempDir::new().unwrap();
    succeeds("child_that_leaves_in_the_middle", data.path());
    succeeds("child_that_reads", data.path());
}

#[test]
fn a_closed_engine_can_be_opened_again() {
    succeeds("child_that_opens_again", TempDir::new().unwrap().path());
}

#[test]
fn a_library_that_is_none_is_an_error() {
    let _engine = engine();
    let data = TempDir::new().unwrap();
    let error = Engine::open(Path::new("/nowhere/libchdb.so"), data.path()).unwrap_err();
    assert!(matches!(error, EngineError::Taken { .. }), "{error}");
}
