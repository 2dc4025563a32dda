//! A proxy that can make the network fail, in front of a server whose address may change.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinSet,
};

/// How the proxy treats bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Bytes are forwarded as they arrive.
    Normal,
    /// Each read is forwarded after this delay.
    Slow(Duration),
    /// Bytes are held back until the network changes.
    Silent,
    /// Every connection is cut, and so is every new one.
    Cut,
}

/// Forwards connections to a server. Dropping it cuts them.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    target: watch::Sender<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port. Until there is a server, connections are cut.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (network, network_changes) = watch::channel(Network::Normal);
        let (target, target_changes) = watch::channel(address);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target_changes, network_changes));
        Self {
            address,
            network,
            target,
            _tasks: tasks,
        }
    }

    /// Where it listens; never changes.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the server for new connections.
    pub(crate) fn retarget(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Sets the network for all connections.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    network: watch::Receiver<Network>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (target, network) = (*target.borrow(), network.clone());
        if *network.borrow() != Network::Cut && target != listener.local_addr().unwrap() {
            connections.spawn(forward(client, target, network));
        }
    }
}

/// Forwards until either side or the network ends the connection.
async fn forward(client: TcpStream, target: SocketAddr, network: watch::Receiver<Network>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut until_cut = network.clone();
    tokio::select! {
        _ = pump(from_client, to_server, network.clone()) => {}
        _ = pump(from_server, to_client, network) => {}
        _ = until_cut.wait_for(|network| *network == Network::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let now = *network.borrow_and_update();
        match now {
            Network::Normal | Network::Cut => {}
            Network::Slow(delay) => tokio::time::sleep(delay).await,
            Network::Silent => {
                let _gone = network.wait_for(|network| *network != Network::Silent).await;
            }
        }
        to.write_all(bytes.get(..count).unwrap_or_default()).await?;
    }
}
