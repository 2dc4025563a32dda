//! librdkafka's mock cluster, as a broker.

mod relay;

use std::{
    convert::Infallible,
    io,
    net::Ipv4Addr,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use rdkafka::{
    error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext, types::RDKafkaApiKey,
};
use tokio::{net::TcpListener, runtime, sync::oneshot};

/// The latest versions that the mock reads and writes as Kafka's protocol has them; it offers later ones too. Of Fetch,
/// those after 12 name topics by ids, which Metadata of version 8 does not have; of Produce, the relay reads these.
const LATEST_VERSIONS: [(RDKafkaApiKey, i16); 6] = [
    (RDKafkaApiKey::Produce, 8),
    (RDKafkaApiKey::Fetch, 12),
    (RDKafkaApiKey::Metadata, 8),
    (RDKafkaApiKey::JoinGroup, 5),
    (RDKafkaApiKey::LeaveGroup, 2),
    (RDKafkaApiKey::SyncGroup, 3),
];

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
    /// Its thread could not be started or listen, or died.
    #[error("cannot start the thread of the in-memory broker")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

/// An in-memory Kafka broker on a free port of 127.0.0.1, for trying out and for tests. It stops when dropped.
///
/// Clients of every common family connect to it: `docs/operate.md` lists them. It knows consumer groups and committed
/// offsets, and makes a topic that it does not know when it is first named, of four partitions. Its limits: nothing
/// survives it; of each partition it keeps the last 5 MB or so and lets go of what is older, read or not, which a
/// consumer sees as a gap in the offsets; the port cannot be chosen; and a group that a member joins or leaves stands
/// still for its session timeout less a second, 44 seconds by default.
#[derive(Debug)]
pub struct Broker {
    bootstrap_servers: String,
    // Nothing is sent: its end is the word to stop.
    stop: Option<oneshot::Sender<Infallible>>,
    // The cluster may not leave the thread that made it.
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker that has the topics, each with its number of partitions.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, BrokerError> {
        let owned = |&(topic, partitions): &(&str, i32)| (topic.to_owned(), partitions);
        let topics: Vec<_> = topics.iter().map(owned).collect();
        let (started, outcome) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            if let Err(error) = serve(topics, &started, stopped) {
                drop(started.send(Err(error)));
            }
        };
        let thread = thread::Builder::new().name("broker".to_owned()).spawn(run);
        let thread = thread.map_err(no_thread)?;
        let died = |_| no_thread(io::Error::other("it ended before it answered"));
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

fn no_thread(source: io::Error) -> BrokerError {
    BrokerError::Thread { source }
}

/// Runs a broker until `stopped` has no sender, and sends its address once it has started.
fn serve(
    topics: Vec<(String, i32)>,
    started: &mpsc::SyncSender<Result<String, BrokerError>>,
    stopped: oneshot::Receiver<Infallible>,
) -> Result<(), BrokerError> {
    let start = |source| BrokerError::Start { source };
    let cluster: MockCluster<'_, DefaultProducerContext> = MockCluster::new(1).map_err(start)?;
    for (request, latest) in LATEST_VERSIONS {
        let set = cluster.apiversion(request, Some(0), Some(latest));
        set.map_err(start)?;
    }
    for (topic, partitions) in topics {
        let created = cluster.create_topic(&topic, partitions, 1);
        created.map_err(|source| BrokerError::Topic {
            topic,
            partitions,
            source,
        })?;
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(no_thread)?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(no_thread)?;
        let address = listener.local_addr().map_err(no_thread)?;
        drop(started.send(Ok(address.to_string())));
        tokio::select! {
            _ = stopped => Ok(()),
            never = relay::run(listener, cluster.bootstrap_servers()) => match never {},
        }
    })
}
