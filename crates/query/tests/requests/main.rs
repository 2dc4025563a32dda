//! Requests against the router, without a socket and with a store that nobody reaches: all that is settled before
//! the store is asked.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod authorization;
mod browsers;
#[path = "../support/conformance.rs"]
mod conformance;
mod description;
#[path = "../support/http.rs"]
mod http;
mod malformed;
mod operations;
mod robust;
mod service;
