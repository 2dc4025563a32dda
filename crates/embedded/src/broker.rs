//! librdkafka's mock cluster, as a broker.

use std::{
    io,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use rdkafka::{error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext};

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// librdkafka could not start it.
    #[error("cannot start the in-memory broker")]
    Start {
        /// Why.
        source: KafkaError,
    },
    /// It did not take a topic.
    #[error("the in-memory broker cannot make the topic {topic:?} of {partitions} partitions")]
    Topic {
        /// Its name.
        topic: String,
        /// Its partitions.
        partitions: i32,
        /// Why.
        source: KafkaError,
    },
    /// Its thread could not be started, or died.
    #[error("cannot start the thread of the in-memory broker")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

/// An in-memory Kafka broker on a free port of 127.0.0.1, for trying out and for tests. It stops when dropped.
///
/// It knows consumer groups and committed offsets, and makes a topic that it does not know when it is first named,
/// of four partitions. Its limits: nothing survives it; of each partition it keeps the last 5 MB or so and lets
/// go of what is older, read or not, which a consumer sees as a gap in the offsets; the port cannot be chosen; and a
/// group that a member joins or leaves stands still for its session timeout less a second, 44 seconds by default.
#[derive(Debug)]
pub struct Broker {
    bootstrap_servers: String,
    // Nothing is sent: its end is the word to stop.
    stop: Option<mpsc::SyncSender<()>>,
    // The cluster may not leave the thread that made it.
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker that has the topics, each with its number of partitions.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, BrokerError> {
        let topics: Vec<_> = topics
            .iter()
            .map(|&(topic, partitions)| (topic.to_owned(), partitions))
            .collect();
        let (started, outcome) = mpsc::sync_channel(1);
        let (stop, stopped) = mpsc::sync_channel::<()>(0);
        let run = move || {
            let cluster = match cluster(topics) {
                Ok(cluster) => cluster,
                Err(error) => return drop(started.send(Err(error))),
            };
            drop(started.send(Ok(cluster.bootstrap_servers())));
            // An error is what is waited for: the sender is gone.
            stopped.recv().unwrap_or_default();
        };
        let thread = thread::Builder::new().name("broker".to_owned()).spawn(run);
        let thread = thread.map_err(|source| BrokerError::Thread { source })?;
        let died = |_| BrokerError::Thread {
            source: io::Error::other("it ended before it answered"),
        };
        let bootstrap_servers = outcome.recv().map_err(died)??;
        Ok(Self {
            bootstrap_servers,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where clients connect, as `host:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.bootstrap_servers.clone()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the broker's thread panicked");
        }
    }
}

fn cluster(topics: Vec<(String, i32)>) -> Result<MockCluster<'static, DefaultProducerContext>, BrokerError> {
    let cluster = MockCluster::new(1).map_err(|source| BrokerError::Start { source })?;
    for (topic, partitions) in topics {
        if let Err(source) = cluster.create_topic(&topic, partitions, 1) {
            return Err(BrokerError::Topic {
                topic,
                partitions,
                source,
            });
        }
    }
    Ok(cluster)
}
