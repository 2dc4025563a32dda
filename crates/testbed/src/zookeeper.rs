//! Apache ZooKeeper itself, one node, fetched from Maven Central: what replicated tables find each other by.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{installed::installed_by_maven, kafka::free_ports};

const POM: &[u8] = include_bytes!("zookeeper/pom.xml");

/// How long it may take to start.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A node on loopback that runs. Dropping it ends it and deletes its data.
#[derive(Debug)]
pub struct ZooKeeper {
    process: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl ZooKeeper {
    /// Starts a node. The download is kept in `cache`.
    ///
    /// # Panics
    /// If it cannot be fetched or started: no test that needs it can go on.
    pub fn start(cache: &Path) -> Self {
        let installation = cache.join("zookeeper");
        installed_by_maven(&installation, POM);
        let dir = TempDir::new().expect("a temporary directory can be made");
        let [address] = free_ports();
        let configuration = format!(
            "clientPort={}\nclientPortAddress={}\ndataDir={}\nadmin.enableServer=false\n\
             4lw.commands.whitelist=srvr\n",
            address.port(),
            address.ip(),
            dir.path().join("data").display()
        );
        let (file, log) = (dir.path().join("zoo.cfg"), dir.path().join("log"));
        fs::write(&file, configuration).expect("a file can be written");
        let output = File::create(&log).expect("a log can be opened");
        let process = Command::new("java")
            .arg("-Xmx128m")
            .arg(format!("-Djava.io.tmpdir={}", dir.path().display()))
            .arg("-cp")
            .arg(installation.join("lib/*"))
            .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a handle can be copied"))
            .stderr(output)
            .spawn()
            .expect("java runs");
        let mut started = Self {
            process,
            address,
            _dir: dir,
        };
        let deadline = Instant::now() + DEADLINE;
        while !serves(address) {
            let ended = started.process.try_wait().expect("a child can be waited for");
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "ZooKeeper ended: {}", log());
            assert!(Instant::now() < deadline, "ZooKeeper does not start: {}", log());
            sleep(Duration::from_millis(50));
        }
        started
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Whether it answers clients, which it does some time after it accepts their connections.
fn serves(address: SocketAddr) -> bool {
    let asked = || -> io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        // A connection that it accepts while it starts is never answered.
        connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        connection.write_all(b"srvr")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("Zookeeper version"))
}

impl Drop for ZooKeeper {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped_already = self.process.wait();
    }
}
