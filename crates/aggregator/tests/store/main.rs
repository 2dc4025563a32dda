//! The store against the real engine.

mod answers;
mod failures;
mod harness;
mod schema;
