//! The clients of Kafka. In reading order:
//!
//! - `client`: what all of them have in common, and all consumers
//! - `watermarks`: where logs start and end
//! - `reader`: reads ranges of a topic to their ends
//! - `publisher`: publishes records
//! - `probe`: how far a group has read
//! - `topics`: creates the topics that are missing

pub(crate) mod client;
pub(crate) mod probe;
pub(crate) mod publisher;
pub(crate) mod reader;
pub(crate) mod topics;
pub(crate) mod watermarks;
