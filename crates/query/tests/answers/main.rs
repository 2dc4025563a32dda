//! Requests that the store answers: the real engine, loaded with a few events.

mod activity;
mod engine;
mod hostile;
#[path = "../support/http.rs"]
mod http;
mod transcripts;
mod world;
