//! Apache Kafka itself: one node, with its own controller, fetched from Maven Central.

mod acl;
mod batch;
mod secure;

use std::{
    ffi::OsStr,
    fmt::Write,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::installed::installed_by_maven;

pub use acl::Resource;
pub use secure::SecureKafka;

const POM: &[u8] = include_bytes!("kafka/pom.xml");
/// The group coordinator logs what it does, which shows why a rebalance took long.
const LOGGER: [&str; 4] = [
    "defaultLogLevel=warn",
    "log.org.apache.kafka.coordinator.group=info",
    "showDateTime=true",
    "dateTimeFormat=HH:mm:ss.SSS",
];
const FIRST_SEGMENT: &str = "00000000000000000000.log";
const CLUSTER_ID: &str = "cm9sbGNhbGwtaW4tdGVzdA";

/// A node in a directory of its own. It runs once [`Kafka::command`] is spawned, and the caller ends it.
#[derive(Debug)]
pub struct Kafka {
    dir: PathBuf,
    lib: PathBuf,
    jvm: &'static [&'static str],
}

/// An address that a node serves.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    /// Its name, in capitals: `SSL` or `SASL_SSL` for what these say, any other for plaintext. The first is the one
    /// between brokers.
    pub name: &'static str,
    /// Where the node listens.
    pub address: SocketAddr,
    /// The address that clients connect to.
    pub advertised: SocketAddr,
}

impl Kafka {
    /// A node with its data in `dir`, run by Java with the options `jvm`. The download is kept in `cache`.
    ///
    /// # Panics
    /// If it cannot be fetched.
    pub fn new(dir: &Path, cache: &Path, jvm: &'static [&'static str]) -> Self {
        let installation = cache.join("kafka");
        installed_by_maven(&installation, POM);
        fs::create_dir_all(dir).expect("a directory can be made");
        Self {
            dir: dir.to_owned(),
            lib: installation.join("lib"),
            jvm,
        }
    }

    /// The directory of its archives, with those of Java's clients.
    pub fn libraries(&self) -> &Path {
        &self.lib
    }

    /// Writes the configuration, with further properties. Called before each start, as another process may have taken
    /// the earlier ports.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn configure(&self, listeners: &[Listener], controller: SocketAddr, further: &str) {
        let (mut listening, mut advertised, mut protocols) = (String::new(), String::new(), String::new());
        for listener in listeners {
            let name = listener.name;
            let protocol = if name.ends_with("SSL") { name } else { "PLAINTEXT" };
            let written = write!(listening, "{name}://{},", listener.address)
                .and_then(|()| write!(advertised, "{name}://{},", listener.advertised))
                .and_then(|()| write!(protocols, "{name}:{protocol},"));
            written.expect("a string takes what it is given");
        }
        let properties = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listeners={listening}CONTROLLER://{controller}\n\
             advertised.listeners={advertised}\n\
             inter.broker.listener.name={first}\n\
             listener.security.protocol.map={protocols}CONTROLLER:PLAINTEXT\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\n\
             {further}\n",
            advertised = advertised.trim_end_matches(','),
            first = listeners.first().map_or("", |listener| listener.name),
            data = self.dir.join("data").display(),
        );
        fs::write(self.dir.join("server.properties"), properties).expect("a file can be written");
    }

    /// Formats its directory, before its first start.
    ///
    /// # Panics
    /// If that fails.
    pub fn format(&self) {
        self.format_with(&[]);
    }

    fn format_with(&self, further: &[String]) {
        let mut format = self.java("kafka.tools.StorageTool");
        format.args([
            "format",
            "--cluster-id",
            CLUSTER_ID,
            "--config",
            "server.properties",
        ]);
        format.args(further);
        let formatted = format.status().expect("java runs");
        assert!(
            formatted.success(),
            "Apache Kafka cannot start: see {}",
            self.log().display()
        );
    }

    /// The command that runs the node.
    ///
    /// # Panics
    /// If its log cannot be opened.
    pub fn command(&self) -> Command {
        let mut command = self.java("kafka.Kafka");
        command.arg("server.properties");
        command
    }

    /// Takes the second half of each partition of a topic away, as the election of a leader that has not all of it does. The
    /// node must have been killed: one that begins again then takes what is left for the whole.
    ///
    /// # Panics
    /// If the files cannot be changed.
    pub fn truncate(&self, topic: &str) {
        let partitions = fs::read_dir(self.dir.join("data")).expect("the node has data");
        for partition in partitions {
            let partition = partition.expect("a directory can be read").path();
            let name = partition.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if name.rsplit_once('-').is_some_and(|(of, _)| of == topic) {
                let segment = File::options()
                    .write(true)
                    .open(partition.join(FIRST_SEGMENT))
                    .expect("a partition has a first segment");
                let bytes = segment.metadata().expect("a file has a size").len();
                segment.set_len(bytes / 2).expect("a file can be cut");
            }
        }
    }

    /// Changes the records of batches of a partition, each as it is packed: `change` is given the offset where the batch
    /// begins, and returns whether it has changed any. The node must have ended; what it reads again it takes for sound.
    ///
    /// # Panics
    /// If the files cannot be changed.
    pub fn damage(&self, topic: &str, partition: i32, change: impl FnMut(i64, &mut [u8]) -> bool) {
        let segment = self.dir.join(format!("data/{topic}-{partition}/{FIRST_SEGMENT}"));
        let mut bytes = fs::read(&segment).expect("a partition has a first segment");
        batch::change(&mut bytes, change);
        fs::write(&segment, bytes).expect("a file can be written");
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn java(&self, class: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.expect("a log can be opened");
        let mut command = Command::new("java");
        command
            .args(self.jvm)
            // Where its libraries unpack native code, which stays there if it is killed.
            .arg(format!("-Djava.io.tmpdir={}", self.dir.display()))
            .args(LOGGER.map(|option| format!("-Dorg.slf4j.simpleLogger.{option}")))
            .arg("-cp")
            .arg(self.lib.join("*"))
            .arg(class)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle can be copied"))
            .stderr(log);
        command
    }
}

/// Local addresses whose ports are free at the moment.
///
/// # Panics
/// If there are none.
pub fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let listen = |()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    [(); N]
        .map(listen)
        .map(|listener| listener.local_addr().expect("a listener has an address"))
}
