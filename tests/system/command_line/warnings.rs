//! What goes wrong shows in the log by default, once and not a thousand times.

use std::{fs::File, path::Path, time::Duration};

use tempfile::tempdir;
use tokio::time::sleep;

use crate::{
    command_line::data::event,
    harness::{Parts, Process, subdirectory, until},
};

/// The warnings and errors in a log.
fn warnings(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_and_an_outage_of_kafka_are_a_line_each_and_not_one_for_each_time() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let log = dir.path().join("log");
    let ingest = Process::start_logging(
        &subdirectory(dir.path(), "ingest"),
        &["ingest", "--http-addr", "127.0.0.1:0"],
        &[&parts.variables()[..], &[("ROLLCALL__LOG__FILTER", "info")]].concat(),
        File::create(&log).unwrap().into(),
    )
    .await;

    let late = |number| event(number).replace("\"2024-05-15", "\"2999-05-15");
    parts.kafka.publish((0..1_000).map(late)).await;
    let rejected = "rollcall_records_total{outcome=\"rejected\",reason=\"time_too_late\"}";
    until("all are rejected", async || {
        (ingest.metric(rejected).await == 1_000).then_some(())
    })
    .await;
    until("a line says so", async || {
        warnings(&log)
            .iter()
            .any(|line| line.contains("rejected"))
            .then_some(())
    })
    .await;
    let lines = warnings(&log);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for part in [
        "code=\"time_too_late\"",
        "topic=\"chat.events\"",
        "partition=",
        "offset=",
        "count=",
        "minutes ahead",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }

    let (broker, engine) = (parts.kafka, parts.clickhouse);
    broker.signal("KILL").await;
    until("the outage is logged", async || {
        (warnings(&log).len() > 1).then_some(())
    })
    .await;
    // How long an outage is watched, not what is waited for: the group and its member have given each other up by then.
    sleep(Duration::from_secs(32)).await;
    let lines = warnings(&log);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(ingest.signal("TERM").await.code(), Some(0));
    drop(engine);
}
