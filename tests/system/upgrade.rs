//! Older programs with the schema of a newer one, as docs/operate.md says under "Upgrade".

use aggregator::migrate::latest_version;
use tempfile::tempdir;

use crate::{
    command_line::run,
    harness::{Parts, Process, root, until},
    history::event,
    oracle::wire::{Spelling, record},
};

const ORG: &str = "upgraded";

/// The commands that the section names, in its order.
fn steps() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/operate.md")).unwrap();
    let (_, section) = page.split_once("\n## Upgrade\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let command = |line: &str| line.split('#').next().unwrap().trim().to_owned();
    block.lines().map(command).collect()
}

/// What `migrate` of a newer program records.
async fn record_newer(parts: &Parts, version: u32, readable_by: u32, writable_by: u32) {
    let statement = format!(
        "INSERT INTO rollcall.schema_versions (version, name, readable_by, writable_by) \
         VALUES ({version}, 'newer', {readable_by}, {writable_by})"
    );
    parts.clickhouse.sql(&statement).await;
}

async fn publish(parts: &Parts, numbers: std::ops::Range<u32>) {
    let records = numbers.map(|number| record(&event(ORG, number), Spelling::default()));
    parts.kafka.publish_records(records).await;
}

async fn readiness(process: &Process) -> u16 {
    let url = format!("{}/readyz", process.ready.api_url.as_deref().unwrap());
    reqwest::get(url).await.unwrap().status().as_u16()
}

/// Asserts that a command is refused in one line that says to upgrade the program.
async fn assert_refused(parts: &Parts, command: &[&str]) {
    let ended = run(command, &parts.variables()).await;
    assert_eq!(ended.code, Some(1), "{command:?}: {ended:?}");
    let refusals = ended.stderr.lines().filter(|line| line.contains("upgrade"));
    assert_eq!(refusals.count(), 1, "{command:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{command:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_as_it_is_described_and_older_programs_know_what_they_can_do() {
    assert_eq!(
        steps(),
        [
            "rollcall migrate",
            "rollcall ingest",
            "rollcall serve",
            "rollcall verify"
        ]
    );
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let (serve, mut ingest) = (parts.serve(&[]).await, parts.ingest(&[]).await);
    publish(&parts, 0..100).await;
    ingest.settled().await;
    let known = latest_version();

    // `migrate` of a release that adds something: everything that runs continues.
    record_newer(&parts, known + 1, known, known).await;
    publish(&parts, 100..200).await;
    ingest.settled().await;
    assert_eq!((readiness(&serve).await, readiness(&ingest).await), (200, 200));
    serve.ask(ORG, "transcripts/").await;
    // What works by the definitions of this program does not.
    for command in [&["verify"][..], &["rebuild", "--all"], &["migrate"]] {
        assert_refused(&parts, command).await;
    }

    // Of one that changes what is inserted: `ingest` ends, and its successor is refused; `serve` continues.
    record_newer(&parts, known + 2, known, known + 2).await;
    publish(&parts, 200..210).await;
    assert_eq!(ingest.end().await.code(), Some(1));
    assert_refused(&parts, &["ingest", "--http-addr", "127.0.0.1:0"]).await;
    assert_eq!(readiness(&serve).await, 200);
    serve.ask(ORG, "transcripts/").await;

    // Of one that changes what is read: `serve` is taken out of the load balancer.
    record_newer(&parts, known + 3, known + 3, known + 3).await;
    until("serve is not ready", async || {
        (readiness(&serve).await == 503).then_some(())
    })
    .await;

    // The new programs, for which nothing is newer.
    parts
        .clickhouse
        .sql(&format!(
            "DELETE FROM rollcall.schema_versions WHERE version > {known}"
        ))
        .await;
    drop(serve);
    for step in steps() {
        let arguments: Vec<_> = step.split(' ').skip(1).collect();
        match arguments[..] {
            ["ingest"] => {
                let ingest = parts.ingest(&[]).await;
                ingest.settled().await;
                assert_eq!(readiness(&ingest).await, 200);
            }
            ["serve"] => assert_eq!(readiness(&parts.serve(&[]).await).await, 200),
            _ => {
                let done = parts.command(&arguments).output().unwrap();
                assert!(
                    done.status.success(),
                    "{step}: {}",
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
    }
}
