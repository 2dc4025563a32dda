//! ClickHouse's HTTP interface over the engine.
//!
//! Clients of a server work against it unchanged. Where it differs:
//!
//! - There are no users: names, passwords, quotas and roles are accepted and ignored. It is to listen on the
//!   local host alone.
//! - There are no sessions: `session_id` is accepted, but nothing is kept between statements.
//! - Results are never packed by HTTP's own compression, only by `compress=1`; requests may be packed by gzip
//!   or by `decompress=1` with LZ4.
//! - The `X-ClickHouse-Summary` of an insert counts its rows; other statements have none.
//! - A result in a format that has a foot, or that numbers its rows, can be given where the engine makes one block
//!   of it (some 65,000 rows); beyond, it is refused.
//! - External tables in forms and the table function `input` are refused.

mod answer;
mod ask;
mod body;
mod connections;
mod documents;
mod exception;
mod form;
mod frames;
mod handler;
mod lexer;
mod split;

use std::net::SocketAddr;

use axum::{Router, routing::get};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// ClickHouse's HTTP interface, served until it is shut down or dropped.
#[derive(Debug)]
pub struct ClickHouseServer {
    addr: SocketAddr,
    stop: CancellationToken,
    /// Holds the one task that owns all connections; to drop it is to cut them.
    task: JoinSet<()>,
}

impl ClickHouseServer {
    /// Serves the engine on `addr`; port 0 picks a free one.
    pub async fn start(engine: Engine, addr: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(connections::accept(listener, router(engine), stop.clone()));
        Ok(Self { addr, stop, task })
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
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.task.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "the server's task died");
            }
        }
    }
}

fn router(engine: Engine) -> Router {
    Router::new()
        .route(
            "/",
            get(handler::statement)
                .post(handler::statement)
                .put(handler::statement),
        )
        .route("/ping", get(handler::OK))
        .route("/replicas_status", get(handler::OK))
        .fallback(handler::no_such_path)
        .with_state(engine)
}
