//! Kafka in, batches out.
//!
//! Records become rows of a [`Sink`], and offsets are committed only behind what the sink and the dead-letter
//! topic have acknowledged. This is the only crate that names rdkafka, and it knows nothing of ClickHouse. In
//! reading order:
//!
//! - [`settings`]: what can be configured
//! - [`sink`]: where rows go, as a trait
//! - [`pipeline`]: the loop: source → decode → batch → insert → settle
//! - `record`: from a record to its named outcome
//! - `batch`, `batcher`: rows, dead letters and the offsets that they stand for; when a batch is closed
//! - `delivery`: one batch, from the open hand to its receipt
//! - `sieve`, `refetch`: the records of a batch that the sink refused, read again to find those at fault
//! - `dead_letters`: rejected records, in their topic
//! - `ledger`: from receipts to the offsets that may be committed; the only place that makes one
//! - `source`: membership of the group, commits, pauses
//! - `backoff`, `budget`: how long to wait, how much to hold
//! - [`topics`], [`probe`], [`publisher`], [`reader`], [`replay`]: what the command line needs besides
//! - [`metric`]: the names of everything that is measured
//! - [`error`]: what can end a run

mod backoff;
mod batch;
mod batcher;
mod budget;
mod client;
mod dead_letters;
mod delivery;
pub mod error;
mod ledger;
pub mod metric;
pub mod pipeline;
pub mod probe;
pub mod publisher;
pub mod reader;
mod record;
mod refetch;
pub mod replay;
pub mod settings;
mod sieve;
pub mod sink;
mod source;
pub mod topics;

pub use error::Error;
pub use pipeline::{Summary, run};
pub use probe::{PartitionProgress, Probe};
pub use publisher::Publisher;
pub use reader::{Reader, Stored};
pub use replay::Replay;
pub use settings::Settings;
pub use sink::{Rows, Sink, SinkError};
pub use topics::ensure_topics;
