//! The facts and rollups in ClickHouse: the only crate that speaks to it.
//!
//! Facts (messages, annotations, registrations) come in by [`Batch`]es, with what their messages add to the rollups;
//! materialized views make the rest of the rollups: activity by day and week, annotations. Every rollup is a join of a
//! semilattice (a set, a least, a greatest), so an insert that is repeated, late or out of order changes no
//! answer. In reading order:
//!
//! - [`settings`]: where ClickHouse is
//! - [`error`]: what can go wrong, and what may be tried again
//! - [`store`]: the handle on all of it
//! - [`migrate`]: the schema, in numbered statements (`migrations/`)
//! - [`batch`], `messages` and `rollup_rows`: events to be inserted, and what they add to the rollups
//! - `tables` and `native`: the tables that they go into, column by column
//! - [`verify`] and [`rebuild`]: the rollups held against the facts, and made of them anew
//! - `activity`, `transcripts` and `by_day`: the answers (`sql/`); [`cache`]: what is held in memory for them

mod activity;
pub mod batch;
mod by_day;
pub mod cache;
pub mod error;
mod messages;
pub mod migrate;
mod native;
pub mod rebuild;
mod rollup;
mod rollup_rows;
pub mod settings;
pub mod store;
mod tables;
mod transcripts;
pub mod verify;

pub use batch::{Batch, SealedBatch};
pub use error::Error;
pub use rollup::{definitions, rollup_tables};
pub use settings::Settings;
pub use store::Store;
pub use transcripts::TranscriptPage;
pub use verify::Drift;
