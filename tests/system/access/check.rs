//! `rollcall check` names each right that is missing.

use std::path::Path;

use aggregator::Role as InClickHouse;
use consumer::{Role as InKafka, Settings, ensure_topics};
use serde_json::Value;
use tempfile::tempdir;
use testbed::{
    Resource::{self, Group, Topic},
    SecureKafka,
};

use super::{documented_row, documented_section, kafka, superuser, variables};
use crate::{
    command_line::{Ended, run},
    harness::{Parts, Process, on_free_port, subdirectory, succeeds, until},
    records::read_all,
};

/// What ClickHouse grants with the same right on tables, whether it is named or not.
const IMPLIED: [&str; 3] = ["CREATE VIEW", "ALTER VIEW", "DROP VIEW"];
const PASSWORD: &str = "testbed";
const ENGINES: [&str; 4] = ["MergeTree", "ReplacingMergeTree", "AggregatingMergeTree", "Null"];
const IN_CLICKHOUSE: [(&str, InClickHouse); 8] = [
    ("migrate", InClickHouse::Migrate),
    ("ingest", InClickHouse::Ingest),
    ("serve", InClickHouse::Serve),
    ("keys", InClickHouse::Keys),
    ("export", InClickHouse::Export),
    ("forget", InClickHouse::Forget),
    ("verify", InClickHouse::Verify),
    ("rebuild", InClickHouse::Rebuild),
];
const IN_KAFKA: [(&str, InKafka); 3] = [
    ("ingest", InKafka::Ingest),
    ("replay", InKafka::Replay),
    ("produce", InKafka::Produce),
];

#[test]
fn what_is_checked_is_what_is_documented() {
    let section = documented_section("Access");
    for (command, role) in IN_CLICKHOUSE {
        let inserts = role
            .inserts_into()
            .iter()
            .map(|table| format!("INSERT ON rollcall.{table}"));
        let besides: Vec<_> = inserts
            .chain(role.reads().iter().map(|table| format!("SELECT ON {table}")))
            .collect();
        let besides = if besides.is_empty() {
            "none".to_owned()
        } else {
            besides.join(", ")
        };
        let documented = documented_row(&section, "**Rights in ClickHouse**", command);
        assert_eq!(documented, [role.on_database().join(", "), besides], "{command}");
    }
    let settings = Settings::default();
    for (command, role) in IN_KAFKA {
        let cells = documented_row(&section, "**Rights in Kafka.**", command);
        let [events, letters, group] = cells.as_slice() else {
            panic!("{cells:?}");
        };
        let mut documented = vec![
            format!("{events} on topic {}", settings.topic),
            format!("{letters} on topic {}", settings.dead_letter_topic),
        ];
        if let Some((operation, name)) = group.split_once(" on ") {
            documented.push(format!("{operation} on group {}", name.trim_matches('`')));
        }
        let needs: Vec<_> = role.needs(&settings).iter().map(ToString::to_string).collect();
        assert_eq!(needs, documented, "{command}");
    }
}

/// What a check said that is not well, by what is needed.
fn failed(ended: &Ended) -> Vec<(String, String)> {
    let checked: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let failed: Vec<_> = checked.iter().filter(|check| check["status"] != "ok").collect();
    assert_eq!(ended.code, Some(i32::from(!failed.is_empty())), "{ended:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    failed
        .iter()
        .map(|check| (text(&check["needs"]), text(&check["advice"])))
        .collect()
}

/// Has the engine whose data will be in `data` know users who have some rights each.
fn configure_users(data: &Path, users: &[(String, Vec<String>)]) {
    let users = users.iter().map(|(name, grants)| {
        let grants = grants.iter().map(|grant| format!("<query>GRANT {grant}</query>"));
        format!(
            "<{name}><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>\
             <profile>default</profile><quota>default</quota><grants>{}</grants></{name}>",
            grants.collect::<String>()
        )
    });
    let users = format!(
        "<clickhouse><users>{}</users></clickhouse>",
        users.collect::<String>()
    );
    let engine = subdirectory(data, "engine");
    std::fs::write(subdirectory(&engine, "users.d").join("checked.xml"), users).unwrap();
    let strict = "<clickhouse><access_control_improvements>\
                  <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>\
                  </access_control_improvements></clickhouse>";
    std::fs::write(subdirectory(&engine, "config.d").join("strict.xml"), strict).unwrap();
}

fn login<'a>(url: &'a str, user: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("ROLLCALL__CLICKHOUSE__URL", url),
        ("ROLLCALL__CLICKHOUSE__USER", user),
        ("ROLLCALL__CLICKHOUSE__PASSWORD", PASSWORD),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_taken_away_in_clickhouse_is_named() {
    let settings = aggregator::Settings::default();
    let mut users = Vec::new();
    for (command, role) in IN_CLICKHOUSE {
        let grants = role.grants(&settings);
        let mut all = grants.clone();
        all.extend(ENGINES.map(|engine| format!("TABLE ENGINE ON {engine}")));
        users.push((format!("{command}_all"), all));
        for left_out in 0..grants.len() {
            let mut some = grants.clone();
            some.remove(left_out);
            // A user without any right may not be known at all.
            some.push("SELECT ON system.one".to_owned());
            users.push((format!("{command}_{left_out}"), some));
        }
    }
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    configure_users(&data, &users);
    let clickhouse = Process::start(dir.path(), &on_free_port(&["dev", "clickhouse"], &data), &[]).await;
    let url = clickhouse.ready.clickhouse_url.as_deref().unwrap();
    let migrated = run(&["migrate"], &login(url, "migrate_all")).await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    for (command, role) in IN_CLICKHOUSE {
        if command == "ingest" {
            // It needs Kafka, too.
            continue;
        }
        let well = run(
            &["check", command, "--json"],
            &login(url, &format!("{command}_all")),
        )
        .await;
        assert_eq!(failed(&well), [], "{command}");
        for (left_out, grant) in role.grants(&settings).into_iter().enumerate() {
            let user = format!("{command}_{left_out}");
            let failed = failed(&run(&["check", command, "--json"], &login(url, &user)).await);
            if let Some((privilege, _)) = grant.split_once(" ON ")
                && IMPLIED.contains(&privilege)
            {
                assert_eq!(failed, [], "{command} without {grant}");
                continue;
            }
            let Some((needs, advice)) = failed.first() else {
                panic!("{command} does without {grant}");
            };
            assert_eq!(
                (needs, advice),
                (&grant, &format!("GRANT {grant} TO {user}")),
                "{failed:?}"
            );
            // Without it the schema cannot be looked at.
            let more = usize::from(grant == "SELECT ON rollcall.*" && command != "migrate");
            assert_eq!(failed.len(), 1 + more, "{command}: {failed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_taken_away_in_kafka_is_named_and_nothing_is_left_there() {
    const USER: &str = "carol";
    let (dir, kafka) = (tempdir().unwrap(), kafka().await);
    let parts = Parts::start(dir.path()).await;
    for (command, role) in IN_KAFKA {
        let settings = superuser(&kafka, &format!("check-{command}"));
        ensure_topics(&settings).await.unwrap();
        let of_kafka = variables(&kafka, &settings, USER);
        let [_, of_clickhouse @ ..] = parts.variables();
        let mut all = of_clickhouse.to_vec();
        all.extend(
            of_kafka
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let needs: Vec<_> = role.needs(&settings).iter().map(ToString::to_string).collect();
        for need in &needs {
            change(&kafka, need, SecureKafka::grant);
        }
        let fails_for = async |expected: &[&String]| {
            until(&format!("{command} fails for {expected:?}"), async || {
                let ended = run(&["check", command, "--json"], &all).await;
                let failed = failed(&ended);
                for (_, advice) in &failed {
                    assert!(
                        advice.contains(&format!("User:{USER} lacks the right ")),
                        "{failed:?}"
                    );
                }
                let failed: Vec<_> = failed.iter().map(|(needs, _)| needs).collect();
                (failed == expected).then_some(())
            })
            .await;
        };
        fails_for(&[]).await;
        for need in &needs {
            change(&kafka, need, SecureKafka::revoke);
            fails_for(&[need]).await;
            change(&kafka, need, SecureKafka::grant);
        }
        fails_for(&[]).await;
        for topic in [&settings.topic, &settings.dead_letter_topic] {
            assert_eq!(read_all(&settings, topic).await.len(), 0, "{topic}");
        }
    }

    // To see is less than to use.
    let settings = superuser(&kafka, "check-ingest");
    let (events, letters) = (settings.topic.as_str(), settings.dead_letter_topic.as_str());
    let group = settings.group_id.as_str();
    let of_kafka = variables(&kafka, &settings, USER);
    let [_, of_clickhouse @ ..] = parts.variables();
    let mut all = of_clickhouse.to_vec();
    all.extend(
        of_kafka
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let mut expected = Vec::new();
    for (operation, resource) in [
        ("READ", Topic(events)),
        ("WRITE", Topic(letters)),
        ("READ", Group(group)),
    ] {
        kafka.grant(USER, "DESCRIBE", resource).unwrap();
        kafka.revoke(USER, operation, resource).unwrap();
        let (Topic(name) | Group(name)) = resource else {
            panic!("{resource:?}");
        };
        let kind = if matches!(resource, Group(_)) {
            "group"
        } else {
            "topic"
        };
        let right = format!("{operation} on {kind} {name}");
        expected.push((right.clone(), format!("User:{USER} lacks the right {right}")));
    }
    until("each is named", async || {
        let failed = failed(&run(&["check", "ingest", "--json"], &all).await);
        (failed == expected).then_some(())
    })
    .await;
}

/// Grants or revokes what is needed, as in `READ on topic NAME`.
fn change(
    kafka: &SecureKafka,
    need: &str,
    change: impl Fn(&SecureKafka, &str, &str, Resource<'_>) -> std::io::Result<()>,
) {
    let words: Vec<_> = need.split(' ').collect();
    let [operation, "on", kind, name] = words.as_slice() else {
        panic!("{need}");
    };
    let resource = if *kind == "topic" {
        Topic(name)
    } else {
        Group(name)
    };
    change(kafka, "carol", operation, resource).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_said_line_by_line_and_what_is_not_ends_with_1() {
    let dir = tempdir().unwrap();
    let parts = Parts::bare(dir.path()).await;
    let check = async |more: &[(&str, &str)]| run(&["check"], &[&parts.variables()[..], more].concat()).await;
    let before = check(&[]).await;
    assert_eq!(before.code, Some(1), "{before:?}");
    let schema = "missing  serve: ClickHouse: the schema of database rollcall: ";
    let line = before.stdout.lines().find(|line| line.starts_with(schema));
    assert!(
        line.is_some_and(|line| line.contains("run `rollcall migrate`")),
        "{before:?}"
    );
    assert!(before.stderr.contains("2 of 14 checks failed"), "{before:?}");

    succeeds(&mut parts.command(&["migrate"]));
    let well = check(&[]).await;
    assert_eq!((well.code, well.stderr.as_str()), (Some(0), ""), "{well:?}");
    let expected = [
        "ok       ingest: ClickHouse: SELECT ON rollcall.*",
        "ok       ingest: Kafka: READ on topic chat.events",
        "ok       ingest: Kafka: WRITE on topic chat.events.dlq",
        "ok       ingest: Kafka: READ on group rollcall",
        "ok       serve: ClickHouse: INSERT ON rollcall.api_key_uses",
    ];
    for line in expected {
        assert!(
            well.stdout.lines().any(|found| found == line),
            "{line} is not in: {well:?}"
        );
    }
    assert_eq!(read_all(&parts.kafka.kafka(), "chat.events.dlq").await.len(), 0);

    for (variable, value, said) in [
        (
            "ROLLCALL__CLICKHOUSE__PASSWORD",
            "wrong",
            "clickhouse.password is wrong",
        ),
        ("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:9", "unavailable"),
        (
            "ROLLCALL__KAFKA__BOOTSTRAP_SERVERS",
            "127.0.0.1:9",
            "no answer from 127.0.0.1:9",
        ),
        (
            "ROLLCALL__KAFKA__TOPIC",
            "elsewhere",
            "topic elsewhere does not exist",
        ),
    ] {
        let ended = check(&[(variable, value)]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = ended.stdout.lines().find(|line| line.contains(said));
        assert!(
            line.is_some_and(|line| !line.starts_with("ok ")),
            "{said} is not in: {ended:?}"
        );
    }
}
