//! Rollcall as its users meet it: events into Kafka, answers out over HTTP, every part real.

mod architecture;
mod bad_events;
mod command_line;
mod harness;
mod oracle;
mod real_data;
mod restart;
