//! The connections of HTTP: how many there may be, how long each may keep its place, and how they end.

mod socket;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use socket::Socket;

/// How long the head of the first request of a connection may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a further request may take. Idle connections last as long, longer than load balancers keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The maximum number of connections, where the limit of open files leaves room for them.
const MAX_CONNECTIONS: usize = 8_192;

/// How long to wait after an error of accepting: where files are used up, the next error would come at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How often it is logged that all connections are taken, or that none can be accepted.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Raises the soft limit of open files to the hard one, so that many connections are no reason to fail.
pub(crate) fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            info!("the limit of open files stays at {current:?}: {error}");
        }
    }
}

/// Half of the files that may be open: the others are for ClickHouse, Kafka and the data.
fn max_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2)
        .unwrap_or(usize::MAX)
        .clamp(1, MAX_CONNECTIONS)
}

/// Serves until `shutdown`. Then the requests that have begun are finished, and connections without one are closed.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_at_most(max_connections(), listener, router, shutdown).await;
}

async fn serve_at_most(max: usize, listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(max));
    let mut connections = JoinSet::new();
    let (mut full, mut refused) = (Occasional::default(), Occasional::default());
    loop {
        if slots.available_permits() == 0 && full.is_due() {
            warn!("all {max} connections are taken: others wait");
        }
        let next = async {
            // The semaphore is never closed, so this is a permit.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note_end(ended),
            (slot, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), shutdown.clone(), slot.ok()));
                }
                Err(error) => {
                    if refused.is_due() {
                        warn!("cannot accept a connection: {error}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        note_end(ended);
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!("a connection ended in an error of the program: {error}");
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
    _slot: Option<OwnedSemaphorePermit>,
) {
    // Cancelled once the head of a request is read.
    let begun = CancellationToken::new();
    let stopping = Arc::new(AtomicBool::new(false));
    let service = {
        let (begun, router) = (begun.clone(), TowerToHyperService::new(router));
        hyper::service::service_fn(move |request: Request<Incoming>| {
            begun.cancel();
            router.call(request)
        })
    };
    let io = TokioIo::new(Socket::new(stream, Arc::clone(&stopping)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .serve_connection(io, service);
    let mut connection = std::pin::pin!(connection);
    let end = async {
        tokio::select! {
            () = begun.cancelled() => shutdown.cancelled().await,
            () = shutdown.cancelled() => {}
            () = sleep(HEAD_TIMEOUT) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = end => {
            if !begun.is_cancelled() {
                return;
            }
            stopping.store(true, Ordering::Relaxed);
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("a connection ended: {error}");
    }
}

/// Something that is logged at most once in [`LOG_INTERVAL`].
#[derive(Default)]
struct Occasional(Option<Instant>);

impl Occasional {
    fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= LOG_INTERVAL);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests;
