//! Ingestion end to end: a broker, mostly librdkafka's own, and a sink in memory.

#![expect(clippy::unwrap_used, reason = "a test whose parts cannot be had has failed")]

mod apache;
mod commits;
mod dead_letters;
mod delivery;
mod group;
mod harness;
mod lag;
mod protocols;
mod publish;
mod refusals;
mod replay;
mod requests;
mod unreadable;
