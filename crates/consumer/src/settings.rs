//! What can be configured, under `kafka` in the configuration.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use serde::Deserialize;

use crate::error::Error;
use crate::ingest::budget::Budget;

/// How to reach Kafka, what to read there, and how much to hold at once.
#[derive(Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Brokers to ask first, as `host:port`, comma-separated. Default `localhost:9092`.
    pub bootstrap_servers: String,
    /// The topic that events are read from and published to. Default `chat.events`.
    pub topic: String,
    /// The topic that rejected records are written to. Default `chat.events.dlq`.
    pub dead_letter_topic: String,
    /// The consumer group, whose committed offsets say what has been ingested: what it has read into one database it does not
    /// read into another. Default `rollcall`; of an embedded engine, one of its own.
    pub group_id: String,
    /// How the members of the group share its partitions. Default `classic`.
    pub group_protocol: GroupProtocol,
    /// A batch closes at this many records. Default 250,000.
    pub batch_records: NonZeroUsize,
    /// A batch closes at this many bytes of rows and dead letters; earlier if the budget leaves less to each
    /// batch. Default 64 MiB.
    pub batch_bytes: NonZeroUsize,
    /// A batch closes this long after its first record, in milliseconds. Up to ten times as long while another is being
    /// written, or, of fewer than 2,000 records, until twice as long has passed as the one before took; up to fifty times
    /// as long while there is more to read at once, following how long batches take. Default 100.
    pub batch_delay_ms: NonZeroU64,
    /// How many batches are written at once. Default 2.
    pub batches_in_flight: NonZeroU16,
    /// How much memory ingestion may hold, in bytes: records fetched ahead, batches, dead letters on their way.
    /// At least 16 MiB. Default 256 MiB.
    pub budget_bytes: usize,
    /// The largest record that is accepted, in bytes of its key, value and headers; a larger one is rejected.
    /// Default 1 MiB.
    pub max_record_bytes: NonZeroUsize,
    /// Whether missing topics are created. Default true.
    pub create_topics: bool,
    /// How many partitions a created event topic gets; the dead-letter topic gets one. Default 8.
    pub partitions: NonZeroU16,
    /// How many replicas a created topic gets; 0 leaves it to the broker. Default 0.
    pub replicas: u16,
    /// Further properties of librdkafka, by their own names, for every client: `security.protocol`,
    /// `sasl.username`, `ssl.ca.location`; `_` may stand for `.`, which names of variables cannot have in a
    /// shell. They take precedence over what is derived from the settings above;
    /// those that delivery rests on are refused. Default none.
    pub properties: BTreeMap<String, String>,
}

/// How the members of a consumer group share its partitions.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum GroupProtocol {
    /// A member assigns, and each says how long it may be silent. Every broker knows it.
    #[default]
    Classic,
    /// The broker assigns, and says how long a member may be silent: the protocol of KIP-848, from Kafka 4.0 on.
    Consumer,
}

/// Properties that may not be set by hand, under every name that librdkafka has for them: exact delivery, or noticing what
/// fails, rests on what we set them to, or another setting governs them.
const RESERVED: &[(&str, &str)] = &[
    ("enable.auto.commit", COMMITTED_BEHIND),
    ("auto.commit.enable", COMMITTED_BEHIND),
    ("enable.auto.offset.store", COMMITTED_BEHIND),
    ("offset.store.method", COMMITTED_BEHIND),
    ("auto.offset.reset", "a reset to the end would lose records"),
    ("isolation.level", "aborted transactions are never read"),
    (
        "partition.assignment.strategy",
        "rebalances are handled as cooperative",
    ),
    ("enable.partition.eof", "nothing is done at a partition's end"),
    ("acks", ALL_REPLICAS),
    ("request.required.acks", ALL_REPLICAS),
    ("enable.idempotence", "a dead letter is written once"),
    (
        "transactional.id",
        "dead letters are written outside of transactions",
    ),
    ("message.timeout.ms", ACK_NOTICED),
    ("delivery.timeout.ms", ACK_NOTICED),
    ("delivery.report.only.error", ACK_NOTICED),
    (
        "statistics.interval.ms",
        "a client without brokers is known by them",
    ),
    ("allow.auto.create.topics", "use kafka.create_topics"),
    ("bootstrap.servers", "use kafka.bootstrap_servers"),
    ("metadata.broker.list", "use kafka.bootstrap_servers"),
    ("group.id", "use kafka.group_id"),
    ("group.protocol", "use kafka.group_protocol"),
    ("message.max.bytes", "use kafka.max_record_bytes"),
    ("fetch.max.bytes", BUDGETED),
    ("queued.min.messages", BUDGETED),
    ("queued.max.messages.kbytes", BUDGETED),
    ("queue.buffering.max.kbytes", BUDGETED),
];

/// Properties that have no meaning with `kafka.group_protocol = "consumer"`, and what has instead. librdkafka takes none of
/// them then.
const CLASSIC_ONLY: &[(&str, &str)] = &[
    (
        "session.timeout.ms",
        "with kafka.group_protocol = \"consumer\" the brokers set it, as group.consumer.session.timeout.ms",
    ),
    (
        "heartbeat.interval.ms",
        "with kafka.group_protocol = \"consumer\" the brokers set it, as group.consumer.heartbeat.interval.ms",
    ),
    (
        "group.protocol.type",
        "with kafka.group_protocol = \"consumer\" there is one type alone",
    ),
];

const COMMITTED_BEHIND: &str = "offsets are committed behind what is settled";
const ALL_REPLICAS: &str = "a dead letter counts once all replicas have it";
const ACK_NOTICED: &str = "each record is acknowledged, or fails, in time";
const BUDGETED: &str = "use kafka.budget_bytes";

/// A member of the group that was killed gives its partitions up after this long.
pub(crate) const SESSION_TIMEOUT_MS: u64 = 10_000;
/// How often a member shows that it lives.
pub(crate) const HEARTBEAT_INTERVAL_MS: u64 = 2_000;

/// The smallest budget that leaves every part of it something to work with.
const MIN_BUDGET_BYTES: usize = 16 << 20;

impl Default for Settings {
    fn default() -> Self {
        Self {
            bootstrap_servers: "localhost:9092".to_owned(),
            topic: "chat.events".to_owned(),
            dead_letter_topic: "chat.events.dlq".to_owned(),
            group_id: "rollcall".to_owned(),
            group_protocol: GroupProtocol::Classic,
            batch_records: const { NonZeroUsize::new(250_000).expect("not zero") },
            batch_bytes: const { NonZeroUsize::new(64 << 20).expect("not zero") },
            batch_delay_ms: const { NonZeroU64::new(100).expect("not zero") },
            batches_in_flight: const { NonZeroU16::new(2).expect("not zero") },
            budget_bytes: 256 << 20,
            max_record_bytes: const { NonZeroUsize::new(1 << 20).expect("not zero") },
            create_topics: true,
            partitions: const { NonZeroU16::new(8).expect("not zero") },
            replicas: 0,
            properties: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Checks what types alone cannot: the first setting that is wrong is named.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |setting: &str, problem: &str| {
            Err(Error::Setting {
                setting: setting.to_owned(),
                problem: problem.to_owned(),
            })
        };
        for (setting, value) in [
            ("kafka.bootstrap_servers", &self.bootstrap_servers),
            ("kafka.topic", &self.topic),
            ("kafka.dead_letter_topic", &self.dead_letter_topic),
            ("kafka.group_id", &self.group_id),
        ] {
            if value.trim().is_empty() {
                return wrong(setting, "must not be empty");
            }
        }
        for (setting, topic) in [
            ("kafka.topic", &self.topic),
            ("kafka.dead_letter_topic", &self.dead_letter_topic),
        ] {
            if !is_topic_name(topic) {
                return wrong(setting, "must be 1 to 249 of A-Z a-z 0-9 . _ -");
            }
        }
        if self.topic == self.dead_letter_topic {
            return wrong("kafka.dead_letter_topic", "must differ from kafka.topic");
        }
        if self.budget_bytes < MIN_BUDGET_BYTES {
            let problem = format!("must be at least {MIN_BUDGET_BYTES}");
            return wrong("kafka.budget_bytes", &problem);
        }
        let largest = self.budget().batch;
        if self.max_record_bytes.get() > largest {
            let problem = format!("must be at most {largest}, what the budget leaves to a batch");
            return wrong("kafka.max_record_bytes", &problem);
        }
        for (property, value) in self.librdkafka_properties() {
            let reserved = self.reserved().find(|(name, _)| *name == property);
            let check = ClientConfig::new().set(&property, value).create_native_config();
            let problem = match (reserved, check) {
                (Some((_, reason)), _) => format!("may not be set: {reason}"),
                (None, Ok(_)) => continue,
                (None, Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))) => {
                    "is no property of librdkafka".to_owned()
                }
                // What librdkafka says repeats the value, which may be a secret.
                (None, Err(_)) => "has a value that librdkafka does not take".to_owned(),
            };
            return wrong(&format!("kafka.properties.{property}"), &problem);
        }
        let millis = |name: &str, default: u64| {
            let mut properties = self.librdkafka_properties();
            let set = properties.find_map(|(property, value)| (property == name).then_some(value));
            set.and_then(|value| value.trim().parse().ok()).unwrap_or(default)
        };
        let session = millis("session.timeout.ms", SESSION_TIMEOUT_MS);
        if millis("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS) >= session {
            let problem = format!("must be less than session.timeout.ms, which is {session}");
            return wrong("kafka.properties.heartbeat.interval.ms", &problem);
        }
        Ok(())
    }

    /// The properties that may not be set, and why.
    fn reserved(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let classic_only = match self.group_protocol {
            GroupProtocol::Classic => &[],
            GroupProtocol::Consumer => CLASSIC_ONLY,
        };
        RESERVED.iter().chain(classic_only)
    }

    /// The further properties, by the names that librdkafka gives them, none of which has a `_`.
    pub(crate) fn librdkafka_properties(&self) -> impl Iterator<Item = (String, &str)> {
        self.properties
            .iter()
            .map(|(name, value)| (name.replace('_', "."), value.as_str()))
    }

    /// These settings, with another event topic.
    pub(crate) fn with_topic(&self, topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.budget_bytes, self.batch_bytes, self.batches_in_flight)
    }

    pub(crate) const fn batch_delay(&self) -> Duration {
        Duration::from_millis(self.batch_delay_ms.get())
    }

    /// The number of partitions as the protocol counts them.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::from(self.partitions.get().min(i16::MAX.unsigned_abs()))
    }

    /// The number of replicas as the protocol counts them: -1 leaves it to the broker.
    pub(crate) fn replica_count(&self) -> i32 {
        if self.replicas == 0 {
            -1
        } else {
            i32::from(self.replicas)
        }
    }
}

pub(crate) fn is_topic_name(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && !matches!(name, "." | "..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
