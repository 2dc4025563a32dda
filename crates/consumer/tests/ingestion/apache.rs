//! Apache Kafka: one node for all tests of this program, started by the first that needs it and ended after the last.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Weak};
use std::time::Duration;

use consumer::{Error, Probe, Settings, ensure_topics};
use tempfile::TempDir;
use testbed::{Kafka, Listener, free_ports};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::harness::{spawn, until};

/// Options that make it start fast rather than run fast.
const JVM: &[&str] = &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Members learn of each other soon, and a node that was killed is back soon. Offsets are kept for an hour.
const PROPERTIES: &str = "offsets.retention.minutes=60\n\
                          broker.session.timeout.ms=2000\n\
                          broker.heartbeat.interval.ms=500\n\
                          group.min.session.timeout.ms=1000\n\
                          group.consumer.min.heartbeat.interval.ms=300\n\
                          group.consumer.heartbeat.interval.ms=300\n\
                          group.consumer.min.session.timeout.ms=3000\n\
                          group.consumer.session.timeout.ms=3000";

static SHARED: Mutex<Weak<Node>> = Mutex::const_new(Weak::new());

/// A use of the node; dropping the last one ends it and deletes its data.
pub(crate) struct Apache(Arc<Node>);

/// A node that runs. Dropping it ends it and deletes its data.
pub(crate) struct Node {
    kafka: Kafka,
    address: SocketAddr,
    /// As clients see it that connect through a [`Relay`].
    relayed: SocketAddr,
    /// Where relays connect.
    behind: SocketAddr,
    process: Child,
    _data: TempDir,
}

impl Apache {
    /// The node that runs, or a new one.
    pub(crate) async fn get() -> Self {
        let mut shared = SHARED.lock().await;
        if let Some(node) = shared.upgrade() {
            return Self(node);
        }
        let node = Arc::new(Node::start().await);
        *shared = Arc::downgrade(&node);
        Self(node)
    }

    /// See [`Node::topic`].
    pub(crate) async fn topic(&self, name: &str) -> Settings {
        self.0.topic(name).await
    }
}

/// The connections of the clients that use it; they can be held, which leaves them open.
pub(crate) struct Relay {
    held: watch::Sender<bool>,
    _connections: AbortOnDropHandle<()>,
}

impl Relay {
    /// Relays to a node; there is one at a time. Returns settings of clients that use it, too.
    pub(crate) async fn start(kafka: &Apache, settings: &Settings) -> (Self, Settings) {
        let listener = TcpListener::bind(kafka.0.relayed).await.unwrap();
        let (held, is_held) = watch::channel(false);
        let connections = relay(listener, kafka.0.behind, is_held);
        let settings = Settings {
            bootstrap_servers: kafka.0.relayed.to_string(),
            ..settings.clone()
        };
        let relay = Self {
            held,
            _connections: AbortOnDropHandle::new(spawn(connections)),
        };
        (relay, settings)
    }

    /// While it holds, nothing passes.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }
}

async fn relay(listener: TcpListener, to: SocketAddr, held: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let node = TcpStream::connect(to).await.unwrap();
        let ((from_client, to_client), (from_node, to_node)) = (client.into_split(), node.into_split());
        connections.spawn(pass(from_client, to_node, held.clone()));
        connections.spawn(pass(from_node, to_client, held.clone()));
    }
}

/// Passes on one direction of a connection until it ends.
async fn pass(from: OwnedReadHalf, to: OwnedWriteHalf, mut held: watch::Receiver<bool>) -> Option<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        from.readable().await.ok()?;
        held.wait_for(|held| !held).await.ok()?;
        let count = match from.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        };
        let mut sent = 0;
        while sent < count {
            to.writable().await.ok()?;
            match to.try_write(&buffer[sent..count]) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
    }
}

impl Node {
    /// A node of its own, for tests that end it.
    pub(crate) async fn start() -> Self {
        let data = TempDir::new().unwrap();
        let kafka = Kafka::new(data.path(), Path::new(env!("CARGO_TARGET_TMPDIR")), JVM);
        let [address, relayed, behind, controller] = free_ports();
        let listeners = [("DIRECT", address, address), ("RELAYED", behind, relayed)];
        let listeners = listeners.map(|(name, address, advertised)| Listener {
            name,
            address,
            advertised,
        });
        kafka.configure(&listeners, controller, PROPERTIES);
        kafka.format();
        let node = Self {
            process: kafka.command().spawn().unwrap(),
            kafka,
            address,
            relayed,
            behind,
            _data: data,
        };
        node.until_it_answers().await;
        node
    }

    /// Settings with topics of this name, of six partitions, and a group of its own.
    pub(crate) async fn topic(&self, name: &str) -> Settings {
        let settings = self.settings(name);
        ensure_topics(&settings).await.unwrap();
        settings
    }

    /// Ends the node, has its data changed, and starts it again.
    pub(crate) async fn change(&mut self, change: impl FnOnce(&Kafka)) {
        self.end();
        change(&self.kafka);
        self.process = self.kafka.command().spawn().unwrap();
        self.until_it_answers().await;
    }

    async fn until_it_answers(&self) {
        let probe = Probe::new(&self.settings("none")).unwrap();
        until("the broker to answer", async || {
            let answer = probe.ping(Duration::from_secs(1)).await;
            matches!(answer, Ok(()) | Err(Error::NoTopic { .. }))
        })
        .await;
    }

    fn end(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped_already = self.process.wait();
    }

    fn settings(&self, name: &str) -> Settings {
        Settings {
            bootstrap_servers: self.address.to_string(),
            topic: name.to_owned(),
            dead_letter_topic: format!("{name}.dlq"),
            group_id: name.to_owned(),
            partitions: NonZeroU16::new(6).unwrap(),
            batch_records: NonZeroUsize::new(100).unwrap(),
            batch_delay_ms: NonZeroU64::new(20).unwrap(),
            ..Settings::default()
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}
