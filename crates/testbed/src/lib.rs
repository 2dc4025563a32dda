//! Real parts for tests and benchmarks. In reading order:
//!
//! - `clickhouse`: the engine, one for each test program
//! - `cluster`: several engines as the shards of a cluster
//! - `front`: what stands between a client and a server: TLS, or a way that can be cut
//! - `kafka`: Apache Kafka itself, one node of it, open to all or with certificates, users and their rights
//! - `zookeeper`: Apache ZooKeeper, one node
//! - `certificate`: certificates of such servers
//! - `installed`: what other people published, fetched once

mod certificate;
mod clickhouse;
mod cluster;
mod front;
mod installed;
mod kafka;
mod zookeeper;

pub use clickhouse::{ClickHouse, add_users, run_engine};
pub use cluster::TestCluster;
pub use front::{Front, TlsFront};
pub use installed::{installed, installed_by_maven};
pub use kafka::{Kafka, Listener, Resource, SecureKafka, free_ports};
pub use zookeeper::ZooKeeper;
