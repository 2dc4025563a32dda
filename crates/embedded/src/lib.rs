//! The ClickHouse engine as a process, and an in-memory Kafka broker.
//!
//! What makes Rollcall run on a machine with nothing installed. It knows none of the other crates. In reading
//! order:
//!
//! - [`fetch`]: the engine's library, brought into a cache when first needed
//! - [`engine`]: the process that serves ClickHouse's own interfaces, supervised
//! - [`cluster`]: several of them, as the shards of a cluster
//! - `access`: its configuration, and who may do what in it
//! - `library`: the library's C interface
//! - `sandbox`: what its process may open
//! - [`broker`]: librdkafka's mock cluster, as a broker

mod access;
pub mod broker;
pub mod cluster;
pub mod engine;
pub mod fetch;
mod library;
#[cfg(target_os = "linux")]
mod sandbox;

pub use broker::{Broker, BrokerError};
pub use cluster::{Cluster, ClusterOptions};
pub use engine::{Engine, EngineError, EngineOptions, run_engine};
pub use fetch::{FetchError, FetchProgress, ensure_engine};
