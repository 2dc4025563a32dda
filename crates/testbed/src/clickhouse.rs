//! The real ClickHouse engine: one for each test program, started by the first test
//! that asks for it and closed after the last. A process can have no more than one open at a time, and one that ends
//! with it open may crash.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use embedded::{ClickHouseServer, Engine, ensure_engine, fetch::default_cache_dir};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::spawn_blocking};

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    users: 0,
    server: None,
});

struct Shared {
    users: usize,
    server: Option<Server>,
}

struct Server {
    http: ClickHouseServer,
    data: TempDir,
    runtime: Runtime,
}

/// A use of the engine; the last one that is dropped closes it, and its data are gone.
#[derive(Debug)]
pub struct ClickHouse {
    url: String,
}

impl ClickHouse {
    /// The engine that runs, or a new one. Fetches the engine where it is not in the cache.
    ///
    /// # Panics
    /// Where it cannot be fetched or started: no test that asks for it can go on.
    pub async fn get() -> Self {
        let url = spawn_blocking(|| {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            let url = shared.server.get_or_insert_with(start).http.url();
            shared.users += 1;
            url
        });
        Self {
            url: url.await.expect("the engine starts"),
        }
    }

    /// Where its HTTP interface is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.users -= 1;
        if shared.users > 0 {
            return;
        }
        if let Some(Server { http, data, runtime }) = shared.server.take() {
            // Off the runtime of the test, in which another cannot be waited for.
            let closing = std::thread::spawn(move || {
                runtime.block_on(http.shutdown());
                drop((runtime, data));
            });
            closing.join().expect("the engine closes");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.http.url())
            .finish_non_exhaustive()
    }
}

fn start() -> Server {
    let cache = default_cache_dir().expect("HOME or XDG_CACHE_HOME tells where the engine is kept");
    let library = ensure_engine(&cache, &mut |_| ()).expect("the engine can be fetched");
    let data = TempDir::new().expect("a temporary directory can be made");
    // A runtime of its own: that of the test which comes first would end with it.
    let runtime = Runtime::new().expect("threads can be started");
    let engine = Engine::open(&library, data.path()).expect("the engine starts");
    let http = runtime
        .block_on(ClickHouseServer::start(engine, ([127, 0, 0, 1], 0).into()))
        .expect("a port is free");
    Server { http, data, runtime }
}
