//! `rollcall status`: how far ingestion is, what is stored and what was rejected, exactly.

use std::{cell::Cell, collections::BTreeMap};

use consumer::ensure_topics;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::{Ended, data::event, run},
    harness::{Parts, Process, root, send, succeeds, until},
    kafka::Kafka,
};

const GOOD: u32 = 2_000;
/// Values that are rejected, with the codes of the reasons.
const BAD: [(&str, &str, u64); 3] = [
    ("malformed_json", "{", 5),
    ("wrong_type", "[]", 2),
    (
        "missing",
        r#"{"specversion":"1.0","id":"1","type":"chat.message.created.v1"}"#,
        1,
    ),
];

/// Where nobody listens: the port of `discard`.
const NO_KAFKA: (&str, &str) = ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9");
const NO_CLICKHOUSE: (&str, &str) = ("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:9");

/// What `rollcall status` prints, with further variables.
async fn shown(parts: &Parts, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let variables = [&parts.variables()[..], parts.cluster().as_slice(), variables].concat();
    run(&[&["status"], args].concat(), &variables).await
}

/// What `rollcall status --json` prints, and the parts that are wrong.
async fn status(parts: &Parts, variables: &[(&str, &str)]) -> (Value, Vec<String>) {
    let ended = shown(parts, &["--json"], variables).await;
    let status: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let wrong: Vec<_> = status["errors"].as_object().unwrap().keys().cloned().collect();
    let (code, said) = if wrong.is_empty() {
        (0, String::new())
    } else {
        let wrong = wrong.join(", ");
        (
            1,
            format!("rollcall: not all is known, or as it should be: {wrong}\n"),
        )
    };
    assert_eq!((ended.code, ended.stderr), (Some(code), said));
    (status, wrong)
}

/// The status, in which nothing is wrong.
async fn healthy(parts: &Parts) -> Value {
    let (status, _) = status(parts, &[]).await;
    assert_eq!(status["errors"], json!({}), "{status:#}");
    status
}

/// The number of rows of each table.
fn rows(status: &Value) -> BTreeMap<&str, u64> {
    let tables = status["tables"].as_array().unwrap().iter();
    tables
        .map(|table| (table["name"].as_str().unwrap(), table["rows"].as_u64().unwrap()))
        .collect()
}

/// The number of rows of a table on each shard.
fn on_shards(status: &Value, name: &str) -> BTreeMap<u64, u64> {
    let mut tables = status["tables"].as_array().unwrap().iter();
    let table = tables.find(|table| table["name"] == name).unwrap();
    let shards = table["shards"].as_array().unwrap().iter();
    shards
        .map(|shard| (shard["shard"].as_u64().unwrap(), shard["rows"].as_u64().unwrap()))
        .collect()
}

fn sum<'a>(values: impl IntoIterator<Item = &'a Value>) -> u64 {
    values.into_iter().map(|value| value.as_u64().unwrap()).sum()
}

/// Asserts that the page about the status names every field of a value.
fn assert_documented(value: &Value) {
    let page = std::fs::read_to_string(root().join("docs/status.md")).unwrap();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_named = ["`", "[]"]
                    .iter()
                    .any(|end| page.contains(&format!("{name}{end}")));
                assert!(is_named, "docs/status.md does not name {name}");
                // The fields of these are codes of reasons, and parts.
                if !["by_reason", "errors"].contains(&name.as_str()) {
                    assert_documented(value);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(assert_documented),
        _ => {}
    }
}

/// Asserts that every section is there, in lines that fit a screen.
fn assert_sections(text: &str, sections: &[&str]) {
    let headings: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with(' ') && !line.is_empty())
        .collect();
    assert_eq!(headings, sections, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

/// Asserts that a status has the good events and the bad ones, and the schema at a version.
fn assert_exact(status: &Value, version: u64, published: u64) {
    assert_eq!(
        status["clickhouse"]["schema"],
        json!({"version": version, "known": version, "state": "current"})
    );
    assert_eq!(status["clickhouse"]["database"], "rollcall");
    let partitions = status["kafka"]["partitions"].as_array().unwrap();
    assert_eq!(
        sum(partitions.iter().map(|partition| &partition["end"])),
        published
    );
    assert!(
        partitions.iter().all(|partition| partition["lag"] == 0),
        "{partitions:?}"
    );
    let found = rows(status);
    for (table, expected) in [
        ("messages", u64::from(GOOD)),
        ("annotations", 0),
        ("registrations", 0),
        ("users", u64::from(GOOD)),
        ("active_hourly", u64::from(GOOD)),
        ("conversation_beginnings", u64::from(GOOD)),
        ("observed_users", 0),
        ("schema_versions", version),
    ] {
        assert_eq!(found[table], expected, "{table}");
    }
    assert_eq!(status["total"]["rows"], found.values().sum::<u64>());
    let tables = status["tables"].as_array().unwrap();
    assert_eq!(
        status["total"]["bytes"],
        sum(tables.iter().map(|table| &table["bytes"]))
    );
    assert_eq!(status["shards"][0]["parts"], status["total"]["parts"]);
    assert!(status["shards"][0]["disk_free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(status["ingestion"]["newest_event_at"], "2024-05-15T10:00:00.000Z");
    assert_eq!(status["ingestion"]["running"], 1);
    // All of it is of one day, which is long ago.
    assert_eq!(status["forecast"]["bytes_per_day"], 0);
    assert_eq!(status["forecast"]["days_until_full"], Value::Null);
    let reasons: BTreeMap<_, _> = BAD.iter().map(|(code, _, count)| (*code, *count)).collect();
    assert_eq!(
        status["dead_letters"],
        json!({
            "topic": "chat.events.dlq",
            "total": 8,
            "counted": 8,
            "complete": true,
            "by_reason": reasons,
            "unreadable": 0,
        })
    );
}

const SECTIONS: [&str; 5] = ["ClickHouse", "Ingestion", "Tables", "Forecast", "Dead letters"];

#[tokio::test(flavor = "multi_thread")]
async fn status_says_what_is_settled_stored_and_rejected_while_events_arrive_and_afterwards() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    let bad = BAD
        .iter()
        .flat_map(|(_, value, count)| (0..*count).map(|_| (*value).to_owned()));
    parts.kafka.publish((0..GOOD).map(event).chain(bad)).await;
    let published = u64::from(GOOD) + BAD.iter().map(|(.., count)| count).sum::<u64>();

    // While they arrive it is never wrong: what is stored grows, and what waits is no more than there is.
    let before = Cell::new(0);
    until("all is settled", async || {
        let status = healthy(&parts).await;
        let (messages, lag) = (
            rows(&status)["messages"],
            status["kafka"]["lag"].as_u64().unwrap(),
        );
        let earlier = before.replace(messages);
        assert!(
            (earlier..=u64::from(GOOD)).contains(&messages),
            "{messages} after {earlier}"
        );
        assert!(lag <= published, "{lag}");
        (lag == 0).then_some(())
    })
    .await;

    let status = until("what was rejected is reported", async || {
        let status = healthy(&parts).await;
        (status["ingestion"]["rejected"] == 8).then_some(status)
    })
    .await;
    assert_documented(&status);
    let migrated = succeeds(&mut parts.command(&["migrate"]));
    let version: u64 = migrated.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert_exact(&status, version, published);

    assert!(ingest.signal("TERM").await.success());
    parts.kafka.publish((GOOD..GOOD + 10).map(event)).await;
    let waiting = healthy(&parts).await;
    assert_eq!(waiting["kafka"]["lag"], 10);
    assert_eq!(rows(&waiting)["messages"], u64::from(GOOD));
    let text = shown(&parts, &[], &[]).await;
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert_sections(&text.stdout, &SECTIONS);
    for line in [
        &format!("schema        at version {version}, current"),
        "lag           10 records, in ",
        "count         8 in chat.events.dlq",
        "malformed_json      5",
    ] {
        assert!(text.stdout.contains(line), "{line}: {}", text.stdout);
    }
    let messages = text.stdout.lines().find(|line| line.contains(" messages "));
    assert!(messages.unwrap().contains(" 2,000 "), "{}", text.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_is_named_and_the_rest_is_shown() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    parts.kafka.publish((0..7).map(event)).await;
    ingest.settled().await;
    assert!(ingest.signal("TERM").await.success());
    parts.kafka.publish((7..10).map(event)).await;

    let (without_kafka, wrong) = status(&parts, &[NO_KAFKA]).await;
    assert_eq!(wrong, ["dead_letters", "kafka"]);
    let error = without_kafka["errors"]["kafka"].as_str().unwrap();
    assert!(error.contains("no answer from 127.0.0.1:9"), "{error}");
    assert_eq!(without_kafka["kafka"], Value::Null);
    assert_eq!(rows(&without_kafka)["messages"], 7);
    // What was settled just before the end was reported, too.
    assert_eq!(
        without_kafka["ingestion"]["newest_event_at"],
        "2024-05-15T10:00:00.000Z"
    );
    let (without_clickhouse, wrong) = status(&parts, &[NO_CLICKHOUSE]).await;
    assert_eq!(wrong, ["clickhouse"]);
    assert_eq!(without_clickhouse["tables"], Value::Null);
    assert_eq!(without_clickhouse["kafka"]["lag"], 3);
    assert_eq!(without_clickhouse["dead_letters"]["total"], 0);
    for (away, said) in [
        (
            NO_KAFKA,
            "lag           unknown: kafka: no answer from 127.0.0.1:9",
        ),
        (
            NO_CLICKHOUSE,
            "version       unknown: ClickHouse at http://127.0.0.1:9",
        ),
    ] {
        let ended = shown(&parts, &[], &[away]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert_sections(&ended.stdout, &SECTIONS);
        assert!(ended.stdout.contains(said), "{}", ended.stdout);
    }

    // What the group has read is in another database than this one.
    let other = ("ROLLCALL__CLICKHOUSE__DATABASE", "other");
    let (unmade, wrong) = status(&parts, &[other]).await;
    assert_eq!(wrong, ["forecast", "ingestion", "schema"]);
    assert_eq!(unmade["clickhouse"]["schema"]["state"], "outdated");
    let error = unmade["errors"]["schema"].as_str().unwrap();
    assert!(error.contains("run `rollcall migrate`"), "{error}");
    succeeds(parts.command(&["migrate"]).env(other.0, other.1));
    let (elsewhere, wrong) = status(&parts, &[other]).await;
    assert_eq!(wrong, ["kafka"]);
    let error = elsewhere["errors"]["kafka"].as_str().unwrap();
    assert!(
        error.contains("has read topic chat.events into another database"),
        "{error}"
    );
    assert_eq!(elsewhere["kafka"]["lag"], 3);
    assert_eq!(elsewhere["ingestion"]["newest_event_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_shown_shard_by_shard_and_one_that_is_away_is_named() {
    let dir = tempdir().unwrap();
    let parts = Parts::on_cluster(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    parts.kafka.publish((0..300).map(event)).await;
    ingest.settled().await;

    let whole = healthy(&parts).await;
    assert_eq!(whole["clickhouse"]["cluster"], "rollcall");
    let shards = whole["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 3, "{shards:?}");
    for sums in ["rows", "bytes", "parts"] {
        assert_eq!(
            whole["total"][sums],
            sum(shards.iter().map(|shard| &shard[sums])),
            "{sums}"
        );
    }
    for table in ["messages", "users", "active_daily"] {
        let of_shards = on_shards(&whole, table);
        assert_eq!(of_shards.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(
            of_shards.values().all(|rows| *rows > 50),
            "{table}: {of_shards:?}"
        );
        assert_eq!(of_shards.values().sum::<u64>(), 300);
        assert_eq!(rows(&whole)[table], 300);
    }
    let text = shown(&parts, &[], &[]).await;
    let sections = [
        "ClickHouse",
        "Ingestion",
        "Shards",
        "Tables",
        "Forecast",
        "Dead letters",
    ];
    assert_sections(&text.stdout, &sections);
    assert!(ingest.signal("TERM").await.success());

    // Who would start it again stands still.
    let pids = parts.clickhouse.ready.clickhouse_pids.clone().unwrap();
    parts.clickhouse.send("STOP");
    send(pids[2], "KILL");
    let (partial, wrong) = status(&parts, &[]).await;
    assert_eq!(wrong, ["clickhouse", "ingestion", "schema"], "{partial:#}");
    let error = partial["errors"]["clickhouse"].as_str().unwrap();
    assert!(error.contains("are away") && error.ends_with(": 3"), "{error}");
    let of_shards = partial["shards"].as_array().unwrap();
    let mut left = on_shards(&whole, "messages");
    left.remove(&3);
    assert_eq!(on_shards(&partial, "messages"), left);
    assert_eq!(of_shards[2]["version"], Value::Null);
    assert_eq!(of_shards[2]["rows"], Value::Null);
    assert_eq!(
        partial["total"]["rows"],
        sum(of_shards[..2].iter().map(|shard| &shard["rows"]))
    );
    let text = shown(&parts, &[], &[]).await;
    assert_sections(&text.stdout, &sections);
    assert!(text.stdout.contains("\n  3      away "), "{}", text.stdout);
    parts.clickhouse.send("CONT");
}

/// The members of the group, by the status with these variables.
async fn members(parts: &Parts, variables: &[(&str, &str)]) -> Value {
    let (status, wrong) = status(parts, variables).await;
    assert_eq!(wrong, Vec::<String>::new(), "{status:#}");
    status["kafka"]["members"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_members_of_a_group_are_counted_where_brokers_say_who_is_in_it() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    // The embedded broker does not.
    let embedded = healthy(&parts).await;
    assert_eq!(embedded["kafka"]["members"], Value::Null);

    let kafka = Kafka::start(dir.path()).await;
    ensure_topics(&kafka.settings()).await.unwrap();
    let servers = kafka.settings().bootstrap_servers;
    let variables = |more: &[(&'static str, &'static str)]| {
        let servers = ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str());
        [&[servers], more].concat()
    };
    let classic = variables(&[]);
    let ingest = parts.ingest(&classic).await;
    let count = async |expected: Value| {
        until(&format!("{expected} members"), async || {
            (members(&parts, &classic).await == expected).then_some(())
        })
        .await;
    };
    count(1.into()).await;
    let another = parts.ingest(&classic).await;
    count(2.into()).await;
    for member in [ingest, another] {
        assert!(member.signal("TERM").await.success());
    }
    count(0.into()).await;

    // Of a group of the newer protocol the client learns none.
    let newer = variables(&[
        ("ROLLCALL__KAFKA__GROUP_ID", "newer"),
        ("ROLLCALL__KAFKA__GROUP_PROTOCOL", "consumer"),
    ]);
    let ingest: Process = parts.ingest(&newer).await;
    until("it has joined", async || {
        (ingest
            .metric("rollcall_rebalances_total{kind=\"assigned\"}")
            .await
            > 0)
        .then_some(())
    })
    .await;
    assert_eq!(members(&parts, &newer).await, Value::Null);
}
