//! ClickHouse's HTTP interface over the real engine, as clients see it.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod client;
mod fault;
mod http;
mod life;
mod support;
