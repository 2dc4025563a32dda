//! Apache Kafka itself: one node, with its own controller, as a process behind proxies.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use consumer::{Probe, Settings};

use crate::{
    harness::{Running, until},
    proxy::Proxy,
    tools,
};

const CLUSTER_ID: &str = "cm9sbGNhbGwtaW4tdGVzdA";

/// A broker that can be killed and started again on what it holds. Its addresses stay the same.
#[derive(Debug)]
pub(crate) struct Kafka {
    dir: PathBuf,
    running: Option<Running>,
    /// The way that nothing happens to, but for what happens to the broker.
    calm: Proxy,
    /// The way whose weather may be bad.
    pub(crate) rough: Proxy,
}

impl Kafka {
    /// Starts one with its data in `dir`, and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> Self {
        let dir = dir.join("kafka");
        fs::create_dir_all(&dir).unwrap();
        let mut kafka = Self {
            dir,
            running: None,
            calm: Proxy::start().await,
            rough: Proxy::start().await,
        };
        kafka.configure();
        let format = [
            "format",
            "--cluster-id",
            CLUSTER_ID,
            "--config",
            "server.properties",
        ];
        let mut format = kafka.java("kafka.tools.StorageTool", &format);
        assert!(format.status().unwrap().success());
        kafka.resume().await;
        kafka
    }

    /// The settings of a client that goes the calm way.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            bootstrap_servers: self.calm.address().to_string(),
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
        let child = self.java("kafka.Kafka", &["server.properties"]).spawn().unwrap();
        let mut running = Running(child);
        let probe = Probe::new(&self.settings()).unwrap();
        until("the broker answers", || {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "the broker ended: see {}", self.log().display());
            answers(&probe)
        })
        .await;
        self.running = Some(running);
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Writes the configuration anew, on ports that are free now.
    fn configure(&self) {
        let [calm, rough, controller] = free_ports();
        let (calm_address, rough_address) = (self.calm.address(), self.rough.address());
        let data = self.dir.join("data");
        let properties = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=CALM://{calm},ROUGH://{rough},CONTROLLER://{controller}\n\
             advertised.listeners=CALM://{calm_address},ROUGH://{rough_address}\n\
             inter.broker.listener.name=CALM\n\
             listener.security.protocol.map=CALM:PLAINTEXT,ROUGH:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=1000\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=500\n",
            data = data.display()
        );
        fs::write(self.dir.join("server.properties"), properties).unwrap();
        self.calm.retarget(calm);
        self.rough.retarget(rough);
    }

    fn java(&self, class: &str, args: &[&str]) -> Command {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let mut command = Command::new("java");
        command
            .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(
                [
                    "defaultLogLevel=warn",
                    "log.org.apache.kafka.coordinator.group=info",
                    "showDateTime=true",
                    "dateTimeFormat=HH:mm:ss.SSS",
                ]
                .map(|option| format!("-Dorg.slf4j.simpleLogger.{option}")),
            )
            .arg("-cp")
            .arg(tools::kafka().join("lib/*"))
            .arg(class)
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }
}

async fn answers(probe: &Probe) -> Option<()> {
    match probe.ping(Duration::from_secs(1)).await {
        Ok(()) | Err(consumer::Error::NoTopic { .. }) => Some(()),
        Err(_) => None,
    }
}

/// Addresses whose ports are free at the moment.
fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}
