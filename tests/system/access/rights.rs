//! Rights that are missing in Kafka.

use std::time::{Duration, Instant};

use consumer::{PartitionProgress, Probe, Publisher, Settings, ensure_topics};
use tempfile::tempdir;
use testbed::Resource::{Cluster, Group, Topic};

use super::{Logged, kafka, publish, superuser, variables};
use crate::{
    command_line::{data::event, run},
    harness::{DEADLINE, Parts, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_named_and_ingestion_goes_on_once_it_is_granted() {
    const RESTARTS_WATCHED: Duration = Duration::from_secs(4);
    let (dir, kafka) = (tempdir().unwrap(), kafka().await);
    let parts = Parts::start(dir.path()).await;
    let settings = superuser(&kafka, "rights");
    let (events, letters) = (settings.topic.as_str(), settings.dead_letter_topic.as_str());
    let group = settings.group_id.as_str();
    ensure_topics(&settings).await.unwrap();
    publish(&settings, 1).await;

    let variables = variables(&kafka, &settings, "alice");
    // To create topics is allowed: none that exists may be taken for a missing one.
    kafka.grant("alice", "CREATE", Cluster).unwrap();
    let ingest = Logged::start(&parts, dir.path(), &["ingest"], &variables).await;
    let lacks = |right: &str| format!("User:alice lacks the right {right}");
    let steps = [
        (format!("DESCRIBE on topic {events}"), "DESCRIBE", Topic(events)),
        (format!("DESCRIBE on topic {letters}"), "DESCRIBE", Topic(letters)),
        (format!("READ on group {group}"), "READ", Group(group)),
        (format!("READ on topic {events}"), "READ", Topic(events)),
        (format!("WRITE on topic {letters}"), "WRITE", Topic(letters)),
    ];
    for (right, operation, resource) in &steps {
        ingest.is_not_ready(&lacks(right)).await;
        until("it is logged", async || {
            (ingest.count(&lacks(right)) > 0).then_some(())
        })
        .await;
        if *operation == "WRITE" {
            // Each new client joins the group.
            let joined = "rollcall_rebalances_total{kind=\"assigned\"}";
            let (before, began) = (ingest.process.metric(joined).await, Instant::now());
            until("some seconds pass", async || {
                (began.elapsed() > RESTARTS_WATCHED).then_some(())
            })
            .await;
            let restarts = ingest.process.metric(joined).await - before;
            assert!(restarts <= 4, "{restarts} restarts in {RESTARTS_WATCHED:?}");
        }
        kafka.grant("alice", operation, *resource).unwrap();
    }
    ingest.is_ready().await;
    let probe = Probe::new(&settings).unwrap();
    until("all is settled", async || {
        let progress = probe.progress(DEADLINE).await.unwrap();
        let lag = progress.iter().map(PartitionProgress::lag).sum::<u64>();
        (lag == 0).then_some(())
    })
    .await;
    let rejected = "rollcall_records_total{outcome=\"rejected\"";
    assert_eq!(ingest.process.metric(rejected).await, 1);

    // While nothing is published, what is taken away and given again shows all the same.
    kafka.revoke("alice", "READ", Topic(events)).unwrap();
    ingest
        .is_not_ready(&lacks(&format!("READ on topic {events}")))
        .await;
    kafka.grant("alice", "READ", Topic(events)).unwrap();
    ingest.is_ready().await;

    for (right, ..) in &steps {
        let lines = ingest.count(&lacks(right));
        assert!((1..=2).contains(&lines), "{right}: {lines} lines");
    }
    assert_eq!(ingest.count("created"), 0);
    assert!(ingest.process.signal("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_may_not_be_read_is_named_under_the_new_protocol_too() {
    let (dir, kafka) = (tempdir().unwrap(), kafka().await);
    let parts = Parts::start(dir.path()).await;
    let settings = superuser(&kafka, "newer");
    let (events, letters) = (settings.topic.as_str(), settings.dead_letter_topic.as_str());
    let group = settings.group_id.as_str();
    ensure_topics(&settings).await.unwrap();
    publish(&settings, 1).await;
    for (operation, topic) in [("READ", events), ("WRITE", letters)] {
        kafka.grant("alice", operation, Topic(topic)).unwrap();
    }

    let mut variables = variables(&kafka, &settings, "alice");
    variables.push((
        "ROLLCALL__KAFKA__GROUP_PROTOCOL".to_owned(),
        "consumer".to_owned(),
    ));
    let ingest = Logged::start(&parts, dir.path(), &["ingest"], &variables).await;
    let lacks = format!("User:alice lacks the right READ on group {group}");
    let probe = Probe::new(&settings).unwrap();
    let mut logged = 0;
    for number in 2..4 {
        ingest.is_not_ready(&lacks).await;
        until("it is logged", async || {
            (ingest.count(&lacks) > logged).then_some(())
        })
        .await;
        logged = ingest.count(&lacks);
        kafka.grant("alice", "READ", Group(group)).unwrap();
        ingest.is_ready().await;
        until("all is settled", async || {
            let progress = probe.progress(DEADLINE).await.unwrap();
            let lag = progress.iter().map(PartitionProgress::lag).sum::<u64>();
            (lag == 0).then_some(())
        })
        .await;
        // What is taken away while it reads shows as well.
        kafka.revoke("alice", "READ", Group(group)).unwrap();
        publish(&settings, number).await;
    }
    assert!(logged <= 4, "{logged} lines");
    assert!(ingest.process.signal("TERM").await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_name_the_right_that_they_lack() {
    let kafka = kafka().await;
    let settings = superuser(&kafka, "commands");
    let (events, letters) = (settings.topic.as_str(), settings.dead_letter_topic.as_str());
    ensure_topics(&settings).await.unwrap();
    let letter = [
        ("rollcall_reason", "tried"),
        ("rollcall_reason_code", "tried"),
        ("rollcall_topic", events),
        ("rollcall_partition", "0"),
        ("rollcall_offset", "0"),
        ("rollcall_timestamp", "0"),
    ]
    .map(|(name, value)| (name, Some(value.as_bytes())));
    let letters_as_events = Settings {
        topic: letters.to_owned(),
        dead_letter_topic: events.to_owned(),
        ..settings.clone()
    };
    let publisher = Publisher::new(&letters_as_events).unwrap();
    publisher.publish(None, &letter, Some(b"value")).await.unwrap();
    publisher.flush(DEADLINE).await.unwrap();
    let dir = tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, event(2)).unwrap();
    let produce = ["produce", file.to_str().unwrap()];
    let replay = ["replay", "--dead-letters", "--from-beginning"];

    let variables = variables(&kafka, &settings, "bob");
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let group = format!("{}.replay", settings.group_id);
    let read_group = format!("READ on group {group}");
    let (describe_letters, write) = (
        format!("DESCRIBE on topic {letters}"),
        format!("WRITE on topic {events}"),
    );
    let (describe, read) = (
        format!("DESCRIBE on topic {events}"),
        format!("READ on topic {letters}"),
    );
    for (args, right, missing) in [
        (&replay[..], describe.as_str(), Some(("DESCRIBE", Topic(events)))),
        (&replay, &describe_letters, Some(("DESCRIBE", Topic(letters)))),
        (&replay, &read_group, Some(("READ", Group(&group)))),
        (&replay, &read, Some(("READ", Topic(letters)))),
        (&produce, &write, None),
        (&replay, &write, Some(("WRITE", Topic(events)))),
    ] {
        let lacks = format!("User:bob lacks the right {right}");
        let deadline = Instant::now() + DEADLINE;
        // Brokers learn of a right some moments after it is granted.
        loop {
            let ended = run(args, &variables).await;
            assert_eq!(ended.code, Some(1), "{right}: {ended:?}");
            if ended.stderr.contains(&lacks) {
                break;
            }
            assert!(Instant::now() < deadline, "{right}: {ended:?}");
        }
        if let Some((operation, resource)) = missing {
            kafka.grant("bob", operation, resource).unwrap();
        }
    }
    until("both are allowed", async || {
        let (produced, replayed) = (run(&produce, &variables).await, run(&replay, &variables).await);
        (produced.code == Some(0) && replayed.code == Some(0)).then_some(())
    })
    .await;
}
