//! librdkafka's mock cluster, as a broker.

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {}

/// An in-memory Kafka broker. What it holds is gone when it is dropped.
#[derive(Debug)]
pub struct Broker {}

impl Broker {
    /// Starts a broker that has the topics, each with its number of partitions.
    pub fn start(_topics: &[(&str, i32)]) -> Result<Self, BrokerError> {
        Ok(Self {})
    }

    /// Where clients connect, as `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        String::new()
    }
}
