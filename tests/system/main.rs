//! Rollcall as its users meet it: events into Kafka, answers over HTTP, with real parts throughout.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod access;
mod architecture;
mod bad_events;
mod clients;
mod cluster;
mod command_line;
mod connections;
mod dashboard;
mod deployment;
mod drift;
mod engine;
mod erasure;
mod examples;
mod exported;
mod exports;
mod fairness;
mod freshness;
mod fuzzing;
mod generated;
mod groups;
mod harness;
mod history;
mod kafka;
mod kafka_clients;
mod keys;
mod kubernetes;
mod monitoring;
mod oracle;
mod outbox;
mod packed;
mod producers;
mod proxy;
mod real_data;
mod records;
mod refusals;
mod replay;
mod restart;
mod slow_reader;
mod status;
mod tools;
mod torture;
mod transactions;
mod upgrade;
