//! The way to a node of ClickHouse that answers.
//!
//! `clickhouse.url` may list several nodes. Each new connection goes to the next of them that answers, so that statements are
//! spread over all, and one that is away is passed over until it answers again.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{StatusCode, Uri, body::Body};
use hyper_tls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower_service::Service;

use crate::{settings::Settings, tls::connector};

/// How long a connection without a request is kept: ClickHouse closes it after 3 seconds by default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection may be silent before the system asks whether the other end is there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long a node may take to say that it is there, where there are others.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Https = HttpsConnector<HttpConnector>;
type Stream = <Https as Service<Uri>>::Response;

/// Connects to a node that answers, whatever it is asked to connect to.
#[derive(Clone)]
pub(crate) struct Nodes(Arc<Shared>);

struct Shared {
    urls: Vec<Uri>,
    /// Counts connections: whose turn it is.
    turn: AtomicUsize,
    /// An error where there is no TLS by these settings.
    https: Result<Https, String>,
}

impl Nodes {
    pub(crate) fn new(settings: &Settings) -> Self {
        let https = connector(settings.ca_file.as_deref()).map(|tls| {
            let mut http = HttpConnector::new();
            http.enforce_http(false);
            http.set_keepalive(Some(KEEPALIVE));
            (http, tls.into()).into()
        });
        Self(Arc::new(Shared {
            urls: settings.urls().filter_map(|url| url.parse().ok()).collect(),
            turn: AtomicUsize::new(0),
            https,
        }))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.urls.len()
    }

    /// A client whose requests go to a node that answers.
    pub(crate) fn client<B>(&self) -> Client<Self, B>
    where
        B: Body + Send,
        B::Data: Send,
    {
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE_TIMEOUT).build(self.clone())
    }
}

impl Service<Uri> for Nodes {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.connect().await })
    }
}

impl Shared {
    async fn connect(&self) -> Result<Stream, BoxError> {
        let mut https = self.https.clone()?;
        if let [url] = self.urls.as_slice() {
            return https.call(url.clone()).await;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut failure = "clickhouse.url lists no node".into();
        for node in 0..self.urls.len() {
            let url = &self.urls[(turn.wrapping_add(node)) % self.urls.len()];
            let connected = async {
                // A process that stands still accepts connections.
                probe(&https, url).await?;
                https.call(url.clone()).await
            };
            failure = match tokio::time::timeout(PROBE_TIMEOUT, connected).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => error,
                Err(elapsed) => elapsed.into(),
            };
        }
        Err(failure)
    }
}

/// Asks a node whether it is there.
async fn probe(https: &Https, url: &Uri) -> Result<(), BoxError> {
    let ping = format!("{}/ping", url.to_string().trim_end_matches('/')).parse()?;
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(https.clone());
    match client.get(ping).await?.status() {
        StatusCode::OK => Ok(()),
        status => Err(format!("{url} answers {status} to a ping").into()),
    }
}
