//! Real parts for tests and benchmarks. In reading order:
//!
//! - `clickhouse`: the engine, one for each test program
//! - `kafka`: Apache Kafka itself, one node of it, open to all or with certificates, users and their rights
//! - `installed`: what other people published, fetched once

mod clickhouse;
mod installed;
mod kafka;

pub use clickhouse::{ClickHouse, add_users, run_engine};
pub use installed::installed;
pub use kafka::{Kafka, Listener, Resource, SecureKafka, free_ports};
