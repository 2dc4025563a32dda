//! The clients of Kafka. In reading order:
//!
//! - `client`: what all of them have in common, and all consumers
//! - `commit_metadata`: what a commit says besides its offset
//! - `watermarks`: where logs start and end
//! - `reader`: reads ranges of a topic to their ends
//! - `publisher`: publishes records
//! - `sender`: publishes records, with an answer for each
//! - `probe`: how far a group has read
//! - `topics`: creates the topics that are missing; what the brokers are configured to
//! - `rights`: what the brokers deny
//! - `access`: what they let a command do

pub(crate) mod access;
pub(crate) mod client;
pub(crate) mod commit_metadata;
pub(crate) mod probe;
pub(crate) mod publisher;
pub(crate) mod reader;
pub(crate) mod rights;
pub(crate) mod sender;
pub(crate) mod topics;
pub(crate) mod watermarks;
