//! Requests that the store answers: the real engine, loaded with a few events.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod activity;
#[path = "../support/conformance.rs"]
mod conformance;
mod discovery;
mod engine;
mod hostile;
#[path = "../support/http.rs"]
mod http;
mod transcripts;
mod world;

testbed::engine_process!();
