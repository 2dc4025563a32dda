//! Clients of Kafka of every family publish to the embedded broker and read from it in a group, which goes on where it
//! committed.

use std::path::Path;

use tempfile::tempdir;

use crate::{harness::Process, tools};

/// Runs a program with the arguments, the brokers and an empty topic. It fails unless it reads what it publishes.
async fn round_trip(program: &str, args: &[&str], dir: &Path) {
    let own = tempdir().unwrap();
    let broker = Process::start(own.path(), &["dev", "kafka"], &[]).await;
    let servers = broker.ready.bootstrap_servers.as_deref().unwrap();
    let topic = broker.ready.topic.as_deref().unwrap();
    let args = args.iter().copied().chain([servers, topic]);
    tools::run(program, args, dir, None);
}

async fn python(client: &str) {
    round_trip("bin/python", &["round_trip.py", client], &tools::python()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_python_publishes_and_reads_in_a_group() {
    python("kafka-python").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aiokafka_publishes_and_reads_in_a_group() {
    python("aiokafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_publishes_and_reads_in_a_group() {
    python("confluent-kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkajs_publishes_and_reads_in_a_group() {
    round_trip("node", &["round_trip.mjs"], &tools::node()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn javas_clients_publish_and_read_in_a_group() {
    let dir = tempdir().unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let kafka = testbed::Kafka::new(dir.path(), cache, &[]);
    let classes = kafka.libraries().join("*");
    let args = ["-cp", classes.to_str().unwrap(), "RoundTrip.java"];
    round_trip("java", &args, &tools::sources("java")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.26, which CI has not"]
async fn franz_go_publishes_and_reads_in_a_group() {
    round_trip("go", &["run", "./franz"], &tools::sources("go")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go 1.26, which CI has not"]
async fn sarama_publishes_and_reads_in_a_group() {
    round_trip("go", &["run", "./sarama"], &tools::sources("go")).await;
}
