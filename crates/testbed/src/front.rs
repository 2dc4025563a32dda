//! What stands between a client and a server.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use native_tls::{Identity, TlsAcceptor};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::certificate::Certificate;

/// Passes connections on to a server until it is closed, and again once it is opened.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    refused: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Front {
    /// In front of a server, on a free port of loopback.
    ///
    /// # Panics
    /// If there is none.
    pub async fn of(server: SocketAddr) -> Self {
        let (listener, address) = listen().await;
        let (is_open, opened) = watch::channel(true);
        let refused = Arc::new(AtomicUsize::new(0));
        let mut task = JoinSet::new();
        let count = Arc::clone(&refused);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                if !*opened.borrow() {
                    count.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let mut opened = opened.clone();
                connections.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else {
                        return;
                    };
                    tokio::select! {
                        _ended = copy_bidirectional(&mut client, &mut server) => {}
                        _closed = opened.wait_for(|is_open| !is_open) => {}
                    }
                });
            }
        });
        Self {
            address,
            is_open,
            refused,
            _task: task,
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections, and lets none through.
    pub fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How many connections were not let through.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Ends TLS before a server that has none.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    dir: TempDir,
    _task: JoinSet<()>,
}

impl TlsFront {
    /// In front of a server, on a free port of loopback, with a certificate of an authority of its own.
    ///
    /// # Panics
    /// If there is no port, or no certificate can be made.
    pub async fn of(server: SocketAddr) -> Self {
        let authority = Certificate::authority().expect("a certificate can be made");
        let certificate =
            Certificate::signed_by(&authority, "clickhouse").expect("a certificate can be signed");
        let dir = TempDir::new().expect("a temporary directory can be made");
        authority.write(dir.path(), "ca").expect("files can be written");
        let (certificate, key) = certificate.to_pem().expect("a certificate can be written");
        let identity =
            Identity::from_pkcs8(&certificate, &key).expect("a certificate belongs to its own key");
        let acceptor = TlsAcceptor::new(identity).expect("the system has TLS");
        let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);

        let (listener, address) = listen().await;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    if let Ok(mut client) = acceptor.accept(client).await
                        && let Ok(mut server) = TcpStream::connect(server).await
                    {
                        let _ended = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            address,
            dir,
            _task: task,
        }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate of the authority.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("what listens has an address");
    (listener, address)
}
