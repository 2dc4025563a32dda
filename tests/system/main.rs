//! Rollcall as its users meet it: events into Kafka, answers out over HTTP, every part real.

mod architecture;
mod harness;
