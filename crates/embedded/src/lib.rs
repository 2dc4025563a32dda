//! The ClickHouse engine as a library behind its HTTP interface, and an in-memory Kafka broker.
//!
//! What makes Rollcall run on a machine with nothing installed. It knows none of the other crates. In reading
//! order:
//!
//! - [`fetch`]: the engine's library, brought into a cache when first needed
//! - [`engine`]: the library, made safe
//! - [`server`]: ClickHouse's HTTP interface over it
//! - [`broker`]: librdkafka's mock cluster, as a broker

pub mod broker;
pub mod engine;
pub mod fetch;
pub mod server;

pub use broker::{Broker, BrokerError};
pub use engine::{Engine, EngineError};
pub use fetch::{FetchError, FetchProgress, ensure_engine};
pub use server::ClickHouseServer;
