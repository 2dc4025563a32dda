//! The engine by its own interface, on the real library.
//!
//! A process has one engine at a time: the tests of this binary share one, in tables of their own, and what needs a
//! process of its own runs this binary again with one test chosen.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod cancel;
mod fixture;
mod insert;
mod isolation;
mod process;
mod select;
