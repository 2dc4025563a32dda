//! ClickHouse's HTTP interface over the real engine, as clients see it.

mod client;
mod fault;
mod http;
mod life;
mod support;
