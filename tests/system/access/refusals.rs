//! Why Kafka refuses.

use futures::future::join_all;
use tempfile::tempdir;
use testbed::SecureKafka;

use super::{Logged, kafka, superuser, variables};
use crate::{
    command_line::{data::event, run},
    harness::{Parts, subdirectory, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_why_kafka_refuses() {
    let (dir, kafka) = (tempdir().unwrap(), kafka().await);
    let parts = Parts::start(dir.path()).await;
    let right = variables(&kafka, &superuser(&kafka, "refusals"), "alice");
    let with = |changes: &[(&str, &str)]| {
        let mut all = right.clone();
        for (name, value) in changes {
            let name = format!("ROLLCALL__KAFKA__{name}");
            all.retain(|(other, _)| *other != name);
            if !value.is_empty() {
                all.push((name, (*value).to_owned()));
            }
        }
        all
    };
    let port = kafka.sasl_address().port();
    let other_host = format!("localhost:{port}");
    let password = with(&[("PROPERTIES__SASL_PASSWORD", "wrong")]);
    let cases = [
        ("password", password.clone(), "Authentication failed"),
        (
            "ca",
            with(&[("PROPERTIES__SSL_CA_LOCATION", "")]),
            "certificate verify failed",
        ),
        (
            "host",
            with(&[("BOOTSTRAP_SERVERS", &other_host)]),
            "another host name",
        ),
        (
            "plaintext",
            with(&[("PROPERTIES__SECURITY_PROTOCOL", "plaintext")]),
            "wrong security.protocol",
        ),
    ];

    let ingest = cases.iter().map(|(name, variables, reason)| {
        let dir = subdirectory(dir.path(), name);
        let parts = &parts;
        async move {
            let ingest = Logged::start(parts, &dir, &["ingest"], variables).await;
            ingest.is_not_ready(reason).await;
            until("the reason is logged", async || {
                (ingest.count(reason) > 0).then_some(())
            })
            .await;
        }
    });
    let up = async {
        let data = dir.path().join("data");
        let url = parts.variables()[1].1;
        let args = ["up", "--data-dir", data.to_str().unwrap(), "--clickhouse", url];
        let up = Logged::start(&parts, dir.path(), &args, &password).await;
        up.is_not_ready("Authentication failed").await;
    };
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, event(1)).unwrap();
    let ending = [
        vec!["produce", file.to_str().unwrap()],
        vec!["replay", "--dead-letters"],
    ];
    let ending = ending.iter().map(|args| {
        let variables: Vec<_> = password
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        async move {
            let ended = run(args, &variables).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            let line = ended.stderr.lines().last().unwrap();
            assert!(line.contains("Authentication failed"), "{args:?}: {ended:?}");
            assert!(!line.contains(SecureKafka::PASSWORD), "{args:?}: {ended:?}");
        }
    });
    tokio::join!(join_all(ingest), up, join_all(ending));
}
