//! A node with certificates, users and their rights.

use std::{
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Child,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Kafka, Listener, Resource, acl, acl::Right, free_ports};
use crate::certificate::Certificate;

/// Options that make it start fast rather than run fast.
const JVM: &[&str] = &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How long it may take to start.
const DEADLINE: Duration = Duration::from_secs(120);

/// Whoever connects without TLS may do everything.
const PROPERTIES: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
    super.users=User:ANONYMOUS\n\
    sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512\n\
    listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
    listener.name.ssl.ssl.client.auth=required\n\
    ssl.keystore.type=PEM\n\
    ssl.truststore.type=PEM";

static SHARED: Mutex<Weak<SecureKafka>> = Mutex::new(Weak::new());

/// A node on loopback that runs. Dropping it ends it and deletes its data.
#[derive(Debug)]
pub struct SecureKafka {
    process: Child,
    dir: TempDir,
    /// Where the superuser connects, without TLS or password.
    plaintext: SocketAddr,
    sasl_ssl: SocketAddr,
    ssl: SocketAddr,
}

impl SecureKafka {
    /// Who can log in, with [`SecureKafka::PASSWORD`], by `PLAIN` or `SCRAM-SHA-512`. They have no right at first.
    pub const USERS: [&str; 5] = ["rollcall", "alice", "bob", "carol", "dave"];

    /// The password of each user. It is no secret: the node holds only made-up data, while tests run.
    pub const PASSWORD: &str = "testbed";

    /// The common name of the client's certificate.
    pub const CLIENT: &str = "erin";

    /// The node that runs, or a new one. The download is kept in `cache`.
    ///
    /// # Panics
    /// If it cannot be fetched or started: no test that needs it can go on.
    pub fn get(cache: &Path) -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start(cache));
            *shared = Arc::downgrade(&started);
            started
        })
    }

    fn start(cache: &Path) -> Self {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let node = Kafka::new(&dir.path().join("node"), cache, JVM);
        let authority = Certificate::authority().expect("a certificate can be made");
        for (name, subject) in [("broker", "broker"), ("client", Self::CLIENT)] {
            let certificate =
                Certificate::signed_by(&authority, subject).expect("a certificate can be signed");
            certificate.write(dir.path(), name).expect("files can be written");
        }
        authority.write(dir.path(), "ca").expect("files can be written");

        let [plaintext, sasl_ssl, ssl, controller] = free_ports();
        let listeners = [("PLAINTEXT", plaintext), ("SASL_SSL", sasl_ssl), ("SSL", ssl)];
        let listeners = listeners.map(|(name, address)| Listener {
            name,
            address,
            advertised: address,
        });
        node.configure(&listeners, controller, &properties(dir.path()));
        let scram = Self::USERS.map(|user| {
            let password = Self::PASSWORD;
            [
                "--add-scram".to_owned(),
                format!("SCRAM-SHA-512=[name={user},password={password}]"),
            ]
        });
        node.format_with(&scram.concat());
        let mut started = Self {
            process: node.command().spawn().expect("java runs"),
            dir,
            plaintext,
            sasl_ssl,
            ssl,
        };
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(plaintext).is_err()
            || started.grant("nobody", "READ", Resource::Topic("none")).is_err()
        {
            let ended = started.process.try_wait().expect("a child can be waited for");
            let log = || std::fs::read_to_string(node.log()).unwrap_or_default();
            assert!(ended.is_none(), "the broker ended: {}", log());
            assert!(Instant::now() < deadline, "the broker does not start: {}", log());
            sleep(Duration::from_millis(100));
        }
        started
    }

    /// The address for a superuser, without TLS.
    pub fn superuser_address(&self) -> SocketAddr {
        self.plaintext
    }

    /// The address for users with passwords. The broker's certificate names 127.0.0.1, and not `localhost`.
    pub fn sasl_address(&self) -> SocketAddr {
        self.sasl_ssl
    }

    /// The address for clients with certificates.
    pub fn tls_address(&self) -> SocketAddr {
        self.ssl
    }

    /// The certificate of the authority that signed the broker's and the client's.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The client's certificate and its key.
    pub fn client_files(&self) -> (PathBuf, PathBuf) {
        let file = |name| self.dir.path().join(name);
        (file("client.pem"), file("client.key"))
    }

    /// Allows an operation to a user. Brokers follow within moments.
    ///
    /// # Errors
    /// Where the broker does not do it.
    pub fn grant(&self, user: &str, operation: &str, resource: Resource<'_>) -> std::io::Result<()> {
        let right = Right {
            user,
            operation,
            resource,
        };
        acl::grant(self.plaintext, right)
    }

    /// Takes back what [`SecureKafka::grant`] allowed.
    ///
    /// # Errors
    /// Where the broker does not do it.
    pub fn revoke(&self, user: &str, operation: &str, resource: Resource<'_>) -> std::io::Result<()> {
        let right = Right {
            user,
            operation,
            resource,
        };
        acl::revoke(self.plaintext, right)
    }
}

impl Drop for SecureKafka {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped_already = self.process.wait();
    }
}

/// The properties of the node, whose files are in `dir`.
fn properties(dir: &Path) -> String {
    let users = SecureKafka::USERS.map(|user| format!(" user_{user}=\"{}\"", SecureKafka::PASSWORD));
    format!(
        "{PROPERTIES}\n\
         ssl.keystore.location={dir}/broker.both\n\
         ssl.truststore.location={dir}/ca.pem\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required{users};",
        dir = dir.display(),
        users = users.concat(),
    )
}
