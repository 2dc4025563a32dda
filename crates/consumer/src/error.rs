//! What can end a run, or fail an errand.

use std::time::Duration;

use rdkafka::error::KafkaError;

/// Why ingestion ended, or an errand to Kafka failed. Whatever heals by itself is retried and never gets here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is wrong.
    #[error("{setting} {problem}")]
    Setting {
        /// Its full name.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// librdkafka made no client of the settings; mostly a wrong one among `kafka.properties`.
    #[error("kafka: cannot make a client of the settings")]
    Client(#[source] KafkaError),
    /// No answer came from the brokers in time.
    #[error("kafka: no answer from {servers}")]
    Unreachable {
        /// The bootstrap servers.
        servers: String,
        /// What librdkafka says.
        #[source]
        source: KafkaError,
    },
    /// The brokers bring no record and no end.
    #[error("kafka: nothing came from {servers} for {after:?}")]
    Silent {
        /// The bootstrap servers.
        servers: String,
        /// How long was waited.
        after: Duration,
    },
    /// A topic does not exist and may not be created.
    #[error("kafka: topic {topic} does not exist")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// A topic could not be created or looked at.
    #[error("kafka: topic {topic} cannot be used")]
    Topic {
        /// Its name.
        topic: String,
        /// What librdkafka or the broker says.
        #[source]
        source: KafkaError,
    },
    /// The consumer cannot go on; a new one may.
    #[error("kafka: the consumer cannot go on")]
    Consumer(#[source] KafkaError),
    /// No broker has been connected for long; a new client may find one where this one does not look any more.
    #[error("kafka: no broker has been connected for {after:?}")]
    CutOff {
        /// For how long.
        after: Duration,
    },
    /// A dead letter is not acknowledged; a new client may reach what this one does not.
    #[error("kafka: a dead letter for {topic} is not acknowledged after {after:?}")]
    Unburied {
        /// The dead-letter topic.
        topic: String,
        /// How long was waited.
        after: Duration,
    },
    /// The producer of dead letters cannot go on; a new one can.
    #[error("kafka: the producer of dead letters cannot go on")]
    Producer(#[source] KafkaError),
    /// A dead letter will never be taken, so its record can never be settled.
    #[error("kafka: {topic} refuses the dead letter of partition {partition} offset {offset}")]
    DeadLetter {
        /// The dead-letter topic.
        topic: String,
        /// The partition of the event topic that the record was read from.
        partition: i32,
        /// Its offset there.
        offset: i64,
        /// What librdkafka or the broker says.
        #[source]
        source: KafkaError,
    },
    /// A part of the pipeline died of a defect.
    #[error("a part of the pipeline died")]
    Died(#[source] tokio::task::JoinError),
    /// A record could not be published.
    #[error("kafka: a record for {topic} was not taken")]
    Publish {
        /// The topic.
        topic: String,
        /// What librdkafka or the broker says.
        #[source]
        source: KafkaError,
    },
    /// Published records are not acknowledged.
    #[error("kafka: {waiting} records for {topic} are not acknowledged after {after:?}")]
    Unacknowledged {
        /// The topic.
        topic: String,
        /// How many.
        waiting: u64,
        /// How long was waited.
        after: Duration,
    },
}

impl Error {
    /// Whether a run may begin anew, with new clients.
    pub const fn is_cured_by_new_clients(&self) -> bool {
        matches!(
            self,
            Self::CutOff { .. } | Self::Unburied { .. } | Self::Producer(_)
        )
    }
}

/// An error with all that caused it, for a line of the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
