//! Rights, passwords and certificates, at an Apache Kafka that asks for them and a ClickHouse whose users have few.

mod check;
mod clickhouse;
mod documented;
mod refusals;
mod rights;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use consumer::{Publisher, Settings};
use testbed::SecureKafka;
use tokio::task::spawn_blocking;

use crate::{
    command_line::data::event,
    harness::{DEADLINE, Parts, Process, root, subdirectory, until},
};

/// The node that all tests here share.
async fn kafka() -> Arc<SecureKafka> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    spawn_blocking(|| SecureKafka::get(cache)).await.unwrap()
}

/// The settings of a superuser, for topics and a group whose names begin so.
fn superuser(kafka: &SecureKafka, prefix: &str) -> Settings {
    Settings {
        bootstrap_servers: kafka.superuser_address().to_string(),
        topic: format!("{prefix}.events"),
        dead_letter_topic: format!("{prefix}.events.dlq"),
        group_id: format!("{prefix}.group"),
        ..Settings::default()
    }
}

/// Publishes an event of this number, and what is none.
async fn publish(settings: &Settings, number: u32) {
    let publisher = Publisher::new(settings).unwrap();
    for value in [event(number), "nonsense".to_owned()] {
        publisher
            .publish(None, &[], Some(value.as_bytes()))
            .await
            .unwrap();
    }
    publisher.flush(DEADLINE).await.unwrap();
}

/// The variables for the topics and the group of these settings, and for a user with a password.
fn variables(kafka: &SecureKafka, settings: &Settings, user: &str) -> Vec<(String, String)> {
    let properties = [
        ("SECURITY_PROTOCOL", "sasl_ssl"),
        ("SASL_MECHANISM", "PLAIN"),
        ("SASL_USERNAME", user),
        ("SASL_PASSWORD", SecureKafka::PASSWORD),
        ("SSL_CA_LOCATION", kafka.ca_file().to_str().unwrap()),
    ]
    .map(|(name, value)| (format!("PROPERTIES__{name}"), value.to_owned()));
    let topics = [
        ("BOOTSTRAP_SERVERS", kafka.sasl_address().to_string()),
        ("TOPIC", settings.topic.clone()),
        ("DEAD_LETTER_TOPIC", settings.dead_letter_topic.clone()),
        ("GROUP_ID", settings.group_id.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let all = topics.into_iter().chain(properties);
    all.map(|(name, value)| (format!("ROLLCALL__KAFKA__{name}"), value))
        .collect()
}

/// A command of `rollcall` that runs, and its log.
struct Logged {
    process: Process,
    log: PathBuf,
}

impl Logged {
    /// Starts a command that listens, with variables besides those that lead to ClickHouse.
    async fn start(parts: &Parts, dir: &Path, args: &[&str], variables: &[(String, String)]) -> Self {
        let dir = subdirectory(dir, args[0]);
        let log = dir.join("log");
        let variables = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let [_, clickhouse @ ..] = parts.variables();
        let mut all = clickhouse.to_vec();
        all.push(("ROLLCALL__LOG__FILTER", "info"));
        all.extend(variables);
        let args = [args, &["--http-addr", "127.0.0.1:0"]].concat();
        let output = Stdio::from(File::create(&log).unwrap());
        let process = Process::start_logging(&dir, &args, &all, output).await;
        Self { process, log }
    }

    /// What `/readyz` answers: its status, and its text.
    async fn readiness(&self) -> (u16, String) {
        let url = format!("{}/readyz", self.process.ready.api_url.as_deref().unwrap());
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until it is not ready, for this reason.
    async fn is_not_ready(&self, reason: &str) {
        until(&format!("not ready: {reason}"), async || {
            let (status, text) = self.readiness().await;
            (status == 503 && text.contains(reason)).then_some(())
        })
        .await;
    }

    /// Waits until it is ready.
    async fn is_ready(&self) {
        until("ready", async || (self.readiness().await.0 == 200).then_some(())).await;
    }

    /// How many lines of its log hold a text, apart from those that say what `/readyz` answers.
    fn count(&self, text: &str) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.filter(|line| !line.contains("not ready: ")).count()
    }
}

/// A section of `docs/operate.md`, by its heading.
fn documented_section(heading: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs/operate.md")).unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    section.split("\n## ").next().unwrap().to_owned()
}

/// The cells of a row of a table there, by what its first cell holds, in the table with this heading in its first line.
fn documented_row(section: &str, table: &str, first: &str) -> Vec<String> {
    let (_, rows) = section.split_once(table).unwrap();
    let row = rows
        .lines()
        .find(|line| line.starts_with(&format!("| `{first}` |")));
    let row = row.unwrap_or_else(|| panic!("no row for {first}"));
    let cells = row.trim_matches('|').split('|').skip(1);
    cells.map(|cell| cell.trim().to_owned()).collect()
}
