//! The facts and rollups in ClickHouse: the only crate that speaks to it.
//!
//! Facts (messages, annotations, registrations) come in by [`Batch`]es, with what their messages add to the rollups;
//! materialized views make the rest: activity by day and week, annotations. Every rollup is a join of a
//! semilattice (a set, a least, a greatest), so an insert that is repeated, late or out of order changes no
//! answer. In reading order:
//!
//! - [`settings`]: where ClickHouse is
//! - [`error`]: what can go wrong, and what may be tried again
//! - `tls` and `nodes`: the way to a node of ClickHouse that answers, and whom it trusts
//! - `connection`: statements on that way, each under a limit of time
//! - `insert`: batches likewise
//! - `rollup`: the rollups, each with the view that defines it (`rollups/`)
//! - `native` and `tables`: the tables that batches go into, column by column
//! - `messages`, `rollup_rows` and [`batch`]: events to be inserted, and what they add to the rollups
//! - `changes` and `entries`: since when more is known of periods that have ended
//! - `observed` and `observed_users`: counts of conversations and of users of periods that have ended; `observe_users`:
//!   how the latter are made
//! - `registered`, `activity` and `registrations`: who was active when, and who registered (`sql/`)
//! - `layout`: where rows lie in a cluster
//! - [`store`]: the facts and rollups of a database, to be inserted into and asked
//! - `listing`, `conversations` and `transcripts`: which conversations are listed, what each shows, and pages of them
//! - `message_records`: the records of messages, to be exported
//! - `progress`: how far ingestion is, as it reports it
//! - `sizes`: what each shard holds, and how fast that grows
//! - [`api_keys`]: API keys that are made and revoked while the API runs
//! - `values`: the mentors and topics of an organisation, with counts
//! - `erasures` and `erase`: who is to be forgotten, and how
//! - [`migrate`]: the schema, in numbered statements (`migrations/`)
//! - `rights`: what each command needs to be granted
//! - [`verify`] and [`rebuild`]: the rollups compared with the facts, and made from them again

mod activity;
pub mod api_keys;
pub mod batch;
mod changes;
mod connection;
mod conversations;
mod entries;
mod erase;
mod erasures;
pub mod error;
mod insert;
mod layout;
mod listing;
mod message_records;
mod messages;
pub mod migrate;
mod names;
mod native;
mod nodes;
mod observe_users;
mod observed;
mod observed_users;
mod progress;
pub mod rebuild;
mod registered;
mod registrations;
mod rights;
mod rollup;
mod rollup_rows;
pub mod settings;
mod sizes;
pub mod store;
mod tables;
mod tls;
mod transcripts;
mod values;
pub mod verify;

pub use api_keys::{ApiKey, KeyHash, KeyState};
pub use batch::{Batch, SealedBatch};
pub use changes::LastLook;
pub use erase::{Erased, Footprint};
pub use error::Error;
pub use message_records::MessageRecords;
pub use observed::OBSERVED_TABLE;
pub use observed_users::OBSERVED_USERS_TABLE;
pub use progress::{Report, Reports};
pub use rights::Role;
pub use rollup::{definitions, rollup_tables};
pub use settings::Settings;
pub use sizes::{ActiveDays, DiskSpace, Growth, Size, TableKind, TableSize};
pub use store::Store;
pub use transcripts::{Conversations, TranscriptPage};
pub use verify::{Drift, verified_tables};
