//! A stretch of network that can be made bad, in front of a server that may move.

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

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They go on as they come.
    Fair,
    /// Each handful waits so long.
    Slow(Duration),
    /// They are kept back, and go on when the weather changes.
    Silent,
    /// Every connection is cut, and so is every new one.
    Cut,
}

/// Forwards connections to a server. Dropping it cuts them.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    target: watch::Sender<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port. Until there is a server, connections are cut.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, of_weather) = watch::channel(Weather::Fair);
        let (target, of_target) = watch::channel(address);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, of_target, of_weather));
        Self {
            address,
            weather,
            target,
            _tasks: tasks,
        }
    }

    /// Where it listens, for as long as it lives.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go there.
    pub(crate) fn retarget(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Changes the weather for all connections.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    weather: watch::Receiver<Weather>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (target, weather) = (*target.borrow(), weather.clone());
        if *weather.borrow() != Weather::Cut && target != listener.local_addr().unwrap() {
            connections.spawn(forward(client, target, weather));
        }
    }
}

/// Ends, and cuts the connection with it, when either side ends it or the weather does.
async fn forward(client: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut until_cut = weather.clone();
    tokio::select! {
        _ = pump(from_client, to_server, weather.clone()) => {}
        _ = pump(from_server, to_client, weather) => {}
        _ = until_cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let now = *weather.borrow_and_update();
        match now {
            Weather::Fair | Weather::Cut => {}
            Weather::Slow(delay) => tokio::time::sleep(delay).await,
            Weather::Silent => {
                let _gone = weather.wait_for(|weather| *weather != Weather::Silent).await;
            }
        }
        to.write_all(bytes.get(..count).unwrap_or_default()).await?;
    }
}
