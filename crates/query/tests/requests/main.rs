//! Requests against the router, without a socket and with a store that nobody reaches: all that is settled before
//! the store is asked.

mod authorization;
mod description;
#[path = "../support/http.rs"]
mod http;
mod malformed;
mod operations;
mod robust;
mod service;
