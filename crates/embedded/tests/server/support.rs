//! An engine for all tests, and a server and a database for each.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use embedded::{ClickHouseServer, Engine, EngineError, ensure_engine, fetch::default_cache_dir};
use tempfile::TempDir;

/// How long a test waits for what has to happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The engine, and its directory, which is removed once the engine is closed.
struct Shared {
    engine: Engine,
    _data: TempDir,
}

/// A server with an empty database.
pub(crate) struct Server {
    pub(crate) http: ClickHouseServer,
    pub(crate) database: String,
    shared: Arc<Shared>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        static DATABASES: AtomicU32 = AtomicU32::new(0);

        let shared = shared();
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let http = ClickHouseServer::start(shared.engine.clone(), any_port)
            .await
            .unwrap();
        let database = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let this = Self {
            http,
            database: "default".to_owned(),
            shared,
        };
        this.post("", format!("CREATE DATABASE {database}")).await.ok();
        Self { database, ..this }
    }

    /// A second server on the same engine and database.
    pub(crate) async fn another(&self) -> ClickHouseServer {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        ClickHouseServer::start(self.shared.engine.clone(), any_port)
            .await
            .unwrap()
    }

    /// The client whose program this server is for, on the test's database.
    pub(crate) fn client(&self) -> clickhouse::Client {
        clickhouse::Client::default()
            .with_url(self.http.url())
            .with_database(&self.database)
    }

    /// The URL with the test's database and these parameters.
    pub(crate) fn url(&self, parameters: &str) -> String {
        format!("{}/?database={}&{parameters}", self.http.url(), self.database)
    }

    pub(crate) async fn post(&self, parameters: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = reqwest::Client::new().post(self.url(parameters)).body(body);
        Answer::of(request).await
    }

    pub(crate) async fn get(&self, parameters: &str) -> Answer {
        Answer::of(reqwest::Client::new().get(self.url(parameters))).await
    }

    /// The only value that the statement gives.
    pub(crate) async fn value(&self, sql: &str) -> String {
        self.post("", sql.to_owned()).await.ok().trim_end().to_owned()
    }
}

/// A response, read as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().into(),
        }
    }

    /// The text of a response that is no exception.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.text()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and the code that the header and the text both tell.
    pub(crate) fn exception(&self) -> (u16, u32) {
        let code = self.header("x-clickhouse-exception-code").parse().unwrap();
        assert!(
            self.text().starts_with(&format!("Code: {code}. DB::Exception: ")),
            "{}",
            self.text()
        );
        (self.status, code)
    }
}

/// Waits until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Opens the engine for the first test that needs it; it closes with the last.
fn shared() -> Arc<Shared> {
    static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = shared.upgrade() {
        return shared;
    }
    let cache = default_cache_dir().expect("a home directory");
    let library = ensure_engine(&cache, &mut |_| ()).expect("the engine's library");
    let data = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let engine = loop {
        match Engine::open(&library, data.path()) {
            // The engine of tests before is still closing.
            Err(EngineError::Taken { .. }) if start.elapsed() < DEADLINE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => break opened.unwrap(),
        }
    };
    let opened = Arc::new(Shared { engine, _data: data });
    *shared = Arc::downgrade(&opened);
    opened
}
