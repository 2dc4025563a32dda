//! The engine: ClickHouse as a process of its own, serving its own HTTP and native interfaces.
//!
//! The library runs in a child process, in which the program calls [`run_engine`]. The child's standard input is a
//! pipe that carries its orders and then stays open: where it ends, however the parent did, the child kills itself.
//! It needs no other end: a row is in the data directory once its insert is acknowledged. Rows are not forced to the
//! disk, so a power cut may lose the last.
//!
//! A child that ends by itself is started again, at the same addresses.

mod process;

use std::{
    ffi::OsString,
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::process::run_engine;
use self::process::{Orders, Process};
use crate::access;
pub use crate::access::Member;

/// How often ports are picked.
const PORT_ATTEMPTS: u32 = 5;

/// How long to wait before the engine is started again: at first, and at most after repeated failures.
const RESTART_DELAY: Duration = Duration::from_millis(100);
const MAX_RESTART_DELAY: Duration = Duration::from_secs(10);

/// An engine that has run for this long has not failed at its start.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// How the engine is run.
#[derive(Clone)]
pub struct EngineOptions {
    /// A program that calls [`run_engine`], and the arguments that have it do so.
    pub program: (PathBuf, Vec<OsString>),
    /// The library, as [`ensure_engine`](crate::ensure_engine) returns it.
    pub library: PathBuf,
    /// The data directory; it is made where it is missing, and closed to other users.
    pub data: PathBuf,
    /// The address of the HTTP interface; port 0 picks a free one.
    pub http: SocketAddr,
    /// The cluster that it belongs to, if any, which says where its native interface is. Alone, it gets a free port.
    pub member: Option<Member>,
    /// The password of the user [`Engine::USER`].
    pub password: String,
    /// Called whenever the engine has ended by itself.
    pub on_crash: fn(),
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("program", &self.program)
            .field("data", &self.data)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The data directory cannot be made or written.
    #[error("cannot use the data directory {}", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process cannot be started.
    #[error("cannot start the engine's process")]
    Spawn {
        /// Why.
        source: io::Error,
    },
    /// The process ended before it served.
    #[error("the engine ended before it served: {reason}")]
    Ended {
        /// The last that it wrote.
        reason: String,
    },
    /// It does not serve in time.
    #[error("the engine did not serve within {} s", limit.as_secs())]
    Timeout {
        /// How long it was waited for.
        limit: Duration,
    },
}

/// An engine that serves, and is started again if it crashes. Dropping it kills the engine.
#[derive(Debug)]
pub struct Engine {
    http: SocketAddr,
    native: SocketAddr,
    pid: watch::Receiver<u32>,
    stop: CancellationToken,
    supervisor: JoinSet<()>,
}

impl Engine {
    /// The user that clients log in as.
    pub const USER: &'static str = access::USER;

    /// Starts the engine, and returns once it serves.
    pub async fn start(mut options: EngineOptions) -> Result<Self, EngineError> {
        let remote = !options.http.ip().is_loopback();
        let data = |source| EngineError::Data {
            path: options.data.clone(),
            source,
        };
        // Under a relative path ClickHouse looks for larger parts where that path is repeated, and cannot write them.
        let absolute = std::path::absolute(&options.data).map_err(data)?;
        access::write(&absolute, &options.password, remote, options.member.as_ref()).map_err(data)?;
        options.data = absolute;
        let (orders, process) = start(&options).await?;
        let (http, native) = (orders.http(), orders.native());
        let stop = CancellationToken::new();
        let (started, pid) = watch::channel(process.id());
        let mut supervisor = JoinSet::new();
        supervisor.spawn(supervise(options, orders, process, started, stop.clone()));
        Ok(Self {
            http,
            native,
            pid,
            stop,
            supervisor,
        })
    }

    /// Where its HTTP interface is reached from this machine.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The id of its process, which changes where it ends by itself and is started again.
    pub fn pid(&self) -> watch::Receiver<u32> {
        self.pid.clone()
    }

    /// Where its native interface is reached from this machine, as `host:port`.
    pub fn native(&self) -> String {
        self.native.to_string()
    }

    /// Ends the engine: what it is still asked is cut off.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.supervisor.join_next().await.is_some() {}
    }
}

/// Starts the engine, on free ports where none are given.
async fn start(options: &EngineOptions) -> Result<(Orders, Process), EngineError> {
    on_free_ports(async || {
        let orders = Orders::new(options).map_err(|source| EngineError::Spawn { source })?;
        let process = Process::start(options, &orders).await?;
        Ok((orders, process))
    })
    .await
}

/// Starts what picks ports that are free; again where some of them were taken by the time they were bound.
pub(crate) async fn on_free_ports<T>(
    start: impl AsyncFn() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    for _ in 1..PORT_ATTEMPTS {
        match start().await {
            Err(EngineError::Ended { reason }) if reason.contains("Address already in use") => {}
            started => return started,
        }
    }
    start().await
}

/// Starts the engine again whenever it ends, until `stop`.
async fn supervise(
    options: EngineOptions,
    orders: Orders,
    mut process: Process,
    started: watch::Sender<u32>,
    stop: CancellationToken,
) {
    let mut delay = RESTART_DELAY;
    loop {
        let began = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return process.end().await,
            reason = process.ended() => warn!(reason, "the embedded engine ended; starting it again"),
        }
        (options.on_crash)();
        if began.elapsed() > STABLE_AFTER {
            delay = RESTART_DELAY;
        }
        process = loop {
            if stop
                .run_until_cancelled(tokio::time::sleep(delay))
                .await
                .is_none()
            {
                return;
            }
            delay = (delay * 2).min(MAX_RESTART_DELAY);
            match stop.run_until_cancelled(Process::start(&options, &orders)).await {
                None => return,
                Some(Ok(process)) => break process,
                Some(Err(error)) => warn!(%error, "the embedded engine does not start again yet"),
            }
        };
        started.send_replace(process.id());
        info!("the embedded engine serves again");
    }
}

/// The address at which this machine reaches what listens on `ip`.
fn local(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => [127, 0, 0, 1].into(),
        IpAddr::V6(ip) if ip.is_unspecified() => [0, 0, 0, 0, 0, 0, 0, 1].into(),
        ip => ip,
    }
}
