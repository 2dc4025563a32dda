//! What `docs/operate.md` says about Kafka's rights, TLS and passwords is enough.

use std::path::Path;

use consumer::{PartitionProgress, Probe, Settings, ensure_topics};
use tempfile::tempdir;
use testbed::{
    Resource::{self, Group, Topic},
    SecureKafka,
};

use super::{Logged, documented_row, documented_section, kafka, publish};
use crate::{
    command_line::{data::event, run},
    harness::{DEADLINE, Parts, subdirectory, until},
    records::read_all,
};

/// Grants what the table says of a command to a user, and to a client certificate by its subject.
fn grant_documented(kafka: &SecureKafka, section: &str, command: &str, user: &str) {
    let topics = Settings::default();
    let cells = documented_row(section, "**Rights in Kafka.**", command);
    let [events, letters, groups] = cells.as_slice() else {
        panic!("{cells:?}");
    };
    let grant = |operation: &str, resource: Resource<'_>| kafka.grant(user, operation, resource).unwrap();
    grant(events, Topic(&topics.topic));
    grant(letters, Topic(&topics.dead_letter_topic));
    if let Some((operation, group)) = groups.split_once(" on ") {
        grant(operation, Group(group.trim_matches('`')));
    }
}

/// The examples of settings there, with the node's address and files.
fn examples(kafka: &SecureKafka, section: &str) -> Vec<String> {
    let blocks = section.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let (certificate, key) = kafka.client_files();
    let examples = blocks.map(|block| {
        let address = if block.contains("sasl_ssl") {
            kafka.sasl_address()
        } else {
            kafka.tls_address()
        };
        let mut text = block.replace("broker.example.com:9093", &address.to_string());
        for (name, file) in [
            ("kafka-ca.pem", kafka.ca_file()),
            ("client.pem", certificate.clone()),
            ("client.key", key.clone()),
        ] {
            text = text.replace(&format!("/etc/rollcall/{name}"), file.to_str().unwrap());
        }
        text
    });
    examples.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_examples_and_rights_are_enough() {
    let (dir, kafka) = (tempdir().unwrap(), kafka().await);
    let parts = Parts::start(dir.path()).await;
    let section = documented_section("Access");
    let settings = Settings {
        bootstrap_servers: kafka.superuser_address().to_string(),
        ..Settings::default()
    };
    ensure_topics(&settings).await.unwrap();
    let client = format!("CN={}", SecureKafka::CLIENT);
    for (command, user) in [
        ("ingest", "rollcall"),
        ("ingest", client.as_str()),
        ("replay", "bob"),
        ("produce", "carol"),
        ("status", "dave"),
    ] {
        grant_documented(&kafka, &section, command, user);
    }

    let secret = "ROLLCALL__KAFKA__PROPERTIES__SASL_PASSWORD";
    assert!(section.contains(secret));
    let examples = examples(&kafka, &section);
    let [passwords, certificates] = examples.as_slice() else {
        panic!("{examples:?}");
    };
    let config = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let variables = [(secret.to_owned(), SecureKafka::PASSWORD.to_owned())];
    let mut count = 0;
    for (name, text) in [("passwords", passwords), ("certificates", certificates)] {
        publish(&settings, count).await;
        let config = config(name, text);
        let dir = subdirectory(dir.path(), &format!("as-{name}"));
        ingests(&parts, &dir, &config, &variables, &settings).await;
        count += 1;
        let letters = read_all(&settings, &settings.dead_letter_topic).await;
        assert_eq!(letters.len(), usize::try_from(count).unwrap(), "{name}");
    }

    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, event(count)).unwrap();
    let produce = ["produce", file.to_str().unwrap()];
    for (user, args, printed) in [
        ("bob", &["replay", "--dead-letters"][..], "replayed 2"),
        ("carol", &produce, "published 1"),
        ("dave", &["status"], "2 in chat.events.dlq"),
    ] {
        let user_config = config(user, &passwords.replace("\"rollcall\"", &format!("\"{user}\"")));
        let args = [args, &["--config", &user_config]].concat();
        let [_, clickhouse @ ..] = parts.variables();
        let variables = [&clickhouse[..], &[(secret, SecureKafka::PASSWORD)]].concat();
        let ended = run(&args, &variables).await;
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        assert!(ended.stdout.contains(printed), "{args:?}: {ended:?}");
    }
}

/// Ingests all that is published, with the settings of a file.
async fn ingests(
    parts: &Parts,
    dir: &Path,
    config: &str,
    variables: &[(String, String)],
    settings: &Settings,
) {
    let ingest = Logged::start(parts, dir, &["ingest", "--config", config], variables).await;
    let probe = Probe::new(settings).unwrap();
    until("all is settled", async || {
        let progress = probe.progress(DEADLINE).await.unwrap();
        (progress.iter().map(PartitionProgress::lag).sum::<u64>() == 0).then_some(())
    })
    .await;
    ingest.is_ready().await;
    assert!(ingest.process.signal("TERM").await.success());
}
