//! What can end a run, or fail another request to Kafka.

use std::time::Duration;

use rdkafka::error::KafkaError;

/// Why ingestion ended, or another request to Kafka failed. What recovers by itself is retried and never gets here.
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
    /// librdkafka refuses the settings of a client; mostly a wrong one among `kafka.properties`.
    #[error("kafka: cannot make a client from the settings")]
    Client(#[source] KafkaError),
    /// No answer came from the brokers in time.
    #[error("kafka: no answer from {servers}")]
    Unreachable {
        /// The bootstrap servers.
        servers: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The brokers deny a right.
    #[error("kafka: {0}")]
    Denied(Denial),
    /// The brokers send neither records nor the end of a partition.
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
    /// The consumer group does not go on with this member; it may admit a new one.
    #[error("kafka: the consumer group refuses this member")]
    MemberRefused(#[source] KafkaError),
    /// The brokers do not return what the group has committed, without which nothing may be read; they may answer a new
    /// client.
    #[error("kafka: the committed offsets of group {group} are not known")]
    Committed {
        /// The group.
        group: String,
        /// What librdkafka or the broker says.
        #[source]
        source: KafkaError,
    },
    /// What the group has read is in another database, which would miss what this one reads in the name of the group.
    #[error(
        "kafka: group {group} has read topic {topic} into another database, of id {committed}; this one is {database}: set \
         kafka.group_id to a group of this database's own, or, to read everything into this one for good, stop the other \
         and delete the group's offsets of the topic (kafka-consumer-groups --delete-offsets)"
    )]
    OtherDatabase {
        /// The group.
        group: String,
        /// The event topic.
        topic: String,
        /// The id of the database that the offsets were committed for.
        committed: String,
        /// The id of the database that was to be written to.
        database: String,
    },
    /// No broker has been connected for long; a new client may find one where this one no longer looks.
    #[error("kafka: no broker has been connected for {after:?}")]
    Disconnected {
        /// For how long.
        after: Duration,
    },
    /// A dead letter is not acknowledged; a new client may reach what this one does not.
    #[error("kafka: a dead letter for {topic} is not acknowledged after {after:?}")]
    DeadLetterTimeout {
        /// The dead-letter topic.
        topic: String,
        /// How long was waited.
        after: Duration,
    },
    /// The producer of dead letters cannot go on; a new one can.
    #[error("kafka: the producer of dead letters cannot go on")]
    Producer(#[source] KafkaError),
    /// A dead letter will never be accepted, so its record can never be settled.
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
    /// A task panicked, which is a defect.
    #[error("a task panicked")]
    TaskFailed(#[source] tokio::task::JoinError),
    /// A record could not be published.
    #[error("kafka: a record for {topic} was not accepted")]
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
    /// That this topic could not be created or looked at.
    pub(crate) fn topic(topic: &str) -> impl Fn(KafkaError) -> Self {
        move |source| Self::Topic {
            topic: topic.to_owned(),
            source,
        }
    }

    /// Whether another run, which makes new clients, can go on, perhaps once what [`Probe::check_database`] finds is mended. It
    /// can after [`Error::Denied`], too, which was logged.
    ///
    /// [`Probe::check_database`]: crate::Probe::check_database
    pub const fn needs_new_clients(&self) -> bool {
        matches!(
            self,
            Self::MemberRefused(_)
                | Self::Disconnected { .. }
                | Self::DeadLetterTimeout { .. }
                | Self::Producer(_)
                | Self::Committed { .. }
                | Self::OtherDatabase { .. }
        )
    }
}

/// Why no broker answers.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// What librdkafka logged about a connection.
    #[error("{0}")]
    Connection(String),
    /// All that is known.
    #[error(transparent)]
    Code(KafkaError),
}

/// A right, as Kafka's access control lists name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    DescribeTopic,
    CreateTopic,
    ReadTopic,
    WriteTopic,
    ReadGroup,
}

impl std::fmt::Display for Right {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::DescribeTopic => "DESCRIBE on topic",
            Self::CreateTopic => "CREATE on topic",
            Self::ReadTopic => "READ on topic",
            Self::WriteTopic => "WRITE on topic",
            Self::ReadGroup => "READ on group",
        })
    }
}

/// A right that somebody does not have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    pub(crate) principal: String,
    pub(crate) right: Right,
    /// The name of the topic or the group.
    pub(crate) name: String,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            principal,
            right,
            name,
        } = self;
        write!(formatter, "{principal} lacks the right {right} {name}")
    }
}

/// Why a batch was not delivered.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The run is ending: what is not settled is read again by the next one.
    Shutdown,
    /// The run cannot go on.
    Fatal(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// An error with all that caused it, for a line of the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}
