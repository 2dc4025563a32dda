//! The three analytics endpoints over the rollups, as an axum router.
//!
//! Intentionally thin: a request has a key, an organisation and parameters; the store answers it; the answer is
//! written as JSON. No SQL, no Kafka. In reading order:
//!
//! - [`settings`]: the settings of the service
//! - [`keys`]: API keys, and the organisations that each opens
//! - [`stored_keys`]: those that are kept in ClickHouse, as they were read last
//! - `router`: every route on a page
//! - `handlers`: the three endpoints, and the pages for operators
//! - `access`: 401, 403 and 404, before anything else is looked at
//! - `params`: query parameters, read strictly, and described for OpenAPI from the same tables
//! - `dto`: the bodies of answers; `paging`: pages and their headers; `stream`: lists, of unknown length too
//! - `accept`, `format`, `csv`: JSON or CSV; `cache`: answers that are sent only where they have changed
//! - [`mod@export`]: the same answers, and the records of messages, as files
//! - `freshness`: how old the newest settled event is, in a header of each answer
//! - [`cors`]: the pages of other origins that may ask
//! - `error`: all that can go wrong, and its status; `parameter_error`: the rules that a parameter can break
//! - `app`: what every request shares: the store behind a timeout and bounds on concurrency
//! - `slots`: those bounds, shared fairly between keys
//! - `account`: what is kept of a key while requests come with it, and how much it may ask
//! - [`readiness`]: the checks of `/readyz`
//! - [`observe`]: the metrics of requests; `request_id`: their ids, in answers and in the log
//! - [`mod@openapi`], `docs`: the description of the interface, and a page to read it
//! - `schemas`: the JSON Schemas of the events
//! - `dashboard`: a page that shows the answers

mod accept;
mod access;
mod account;
mod app;
mod cache;
pub mod cors;
mod csv;
mod dashboard;
mod docs;
mod dto;
mod error;
pub mod export;
mod format;
mod freshness;
mod handlers;
pub mod keys;
pub mod observe;
pub mod openapi;
mod paging;
mod parameter_error;
mod params;
pub mod readiness;
mod request_id;
pub mod router;
mod schemas;
pub mod settings;
mod slots;
pub mod stored_keys;
mod stream;

pub use cors::{Origins, OriginsError};
pub use export::{Export, Form};
pub use keys::{Keys, KeysError, Scope};
pub use openapi::openapi;
pub use readiness::Check;
pub use router::{operator_router, router};
pub use settings::{Prefix, PrefixError, Settings};
pub use stored_keys::{DueUses, StoredKeys, hash_key};
