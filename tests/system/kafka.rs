//! Apache Kafka: one node with its own controller, as a process behind proxies.

use std::{path::Path, time::Duration};

use consumer::{Probe, Settings};
use testbed::{Listener, free_ports};

use crate::{
    harness::{Running, until},
    proxy::Proxy,
};

/// Options that make it start fast rather than run fast.
const JVM: &[&str] = &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Timeouts that let a killed broker be noticed, and be back, within seconds, and groups choose theirs.
const PROPERTIES: &str = "group.min.session.timeout.ms=1000\n\
                          group.consumer.min.session.timeout.ms=1000\n\
                          group.consumer.min.heartbeat.interval.ms=100\n\
                          broker.session.timeout.ms=2000\n\
                          broker.heartbeat.interval.ms=500";
/// How often members heartbeat under the new protocol of groups, unless sessions are too short for it. Kafka's default.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A broker that can be killed and started again on its data. Its addresses stay the same.
#[derive(Debug)]
pub(crate) struct Kafka {
    node: testbed::Kafka,
    session: Duration,
    running: Option<Running>,
    /// For clients that are spared faults of the network.
    direct: Proxy,
    /// For clients that are not.
    pub(crate) faulty: Proxy,
}

impl Kafka {
    /// Starts one with its data in `dir`, and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::with_sessions(dir, Duration::from_secs(10)).await
    }

    /// As [`Kafka::start`]; a group of the new protocol removes a member that is silent for as long as `session`.
    pub(crate) async fn with_sessions(dir: &Path, session: Duration) -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut kafka = Self {
            node: testbed::Kafka::new(&dir.join("kafka"), cache, JVM),
            session,
            running: None,
            direct: Proxy::start().await,
            faulty: Proxy::start().await,
        };
        kafka.configure();
        kafka.node.format();
        kafka.resume().await;
        kafka
    }

    /// The settings of a client that is spared faults of the network.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            bootstrap_servers: self.direct.address().to_string(),
            ..Settings::default()
        }
    }

    /// Sends the broker a signal.
    pub(crate) fn send(&self, signal: &str) {
        self.running.as_ref().unwrap().send(signal);
    }

    /// Ends the broker by a signal.
    pub(crate) async fn end(&mut self, signal: &str) {
        self.running.take().unwrap().signal(signal).await;
    }

    /// Starts the broker that was ended, and waits until it answers.
    pub(crate) async fn resume(&mut self) {
        self.configure();
        let child = self.node.command().spawn().unwrap();
        let mut running = Running(child);
        let probe = Probe::new(&self.settings()).unwrap();
        until("the broker answers", || {
            let ended = running.0.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the broker ended: see {}",
                self.node.log().display()
            );
            answers(&probe)
        })
        .await;
        self.running = Some(running);
    }

    /// Takes the second half of each partition of a topic away. The broker must have been killed.
    pub(crate) fn truncate(&self, topic: &str) {
        self.node.truncate(topic);
    }

    /// Writes the configuration again, on ports that are free now.
    fn configure(&self) {
        let [direct, faulty, controller] = free_ports();
        let listeners = [("DIRECT", direct, &self.direct), ("FAULTY", faulty, &self.faulty)];
        let listeners = listeners.map(|(name, address, proxy)| Listener {
            name,
            address,
            advertised: proxy.address(),
        });
        let properties = format!(
            "{PROPERTIES}\n\
             group.consumer.session.timeout.ms={}\n\
             group.consumer.heartbeat.interval.ms={}",
            self.session.as_millis(),
            HEARTBEAT.min(self.session / 3).as_millis(),
        );
        self.node.configure(&listeners, controller, &properties);
        self.direct.retarget(direct);
        self.faulty.retarget(faulty);
    }
}

async fn answers(probe: &Probe) -> Option<()> {
    match probe.ping(Duration::from_secs(1)).await {
        Ok(()) | Err(consumer::Error::NoTopic { .. }) => Some(()),
        Err(_) => None,
    }
}
