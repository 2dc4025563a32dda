//! Kafka in, batches out.
//!
//! Records become rows of a [`Sink`], and offsets are committed only once the sink and the dead-letter topic have
//! acknowledged everything before them. This is the only crate that names rdkafka, and it knows nothing of
//! ClickHouse. In reading order:
//!
//! - [`settings`]: what can be configured
//! - [`sink`]: where rows go, as a trait
//! - `ingest`: the pipeline, from a record to the offset that is committed
//! - `kafka`: the clients: settings, reading, publishing, progress, topics, and what the brokers let a command do
//! - `origin`: what a dead letter says of its record
//! - `replay`: dead letters, published again
//! - `letter_counts`: dead letters, counted by reason
//! - `check`: whether librdkafka makes the clients from the settings
//! - [`metric`]: the names of everything that is measured
//! - [`error`]: what can end a run
//! - `throttle`: log lines about what happens again and again

mod check;
pub mod error;
mod ingest;
mod kafka;
mod letter_counts;
pub mod metric;
mod origin;
mod replay;
pub mod settings;
pub mod sink;
mod throttle;

pub use check::check_clients;
pub use error::{Denial, Error};
pub use ingest::counters::register_metrics;
pub use ingest::pipeline::{Summary, run};
pub use kafka::access::{Need, Role};
pub use kafka::client::warn_away;
pub use kafka::probe::{PartitionProgress, Probe};
pub use kafka::publisher::Publisher;
pub use kafka::reader::{Header, Reader, Stored};
pub use kafka::rights::{missing_rights, note as note_missing_right};
pub use kafka::topics::ensure_topics;
pub use letter_counts::{Bounds, LetterCounts, count_letters};
pub use replay::{LeftAlone, Replay, Replayed, Selection};
pub use settings::{GroupProtocol, Settings};
pub use sink::{Progress, Rows, Sink, SinkError};
