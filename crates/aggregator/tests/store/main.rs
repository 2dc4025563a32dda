//! The store against the real engine.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod answers;
mod api_keys;
mod cluster;
mod erasures;
mod failures;
mod harness;
mod listed;
mod long_statements;
mod message_records;
mod nodes;
mod observed;
mod observed_users;
mod rollups;
mod schema;
mod sizes;

testbed::engine_process!();
