//! One engine for all tests of this program: a process can have no more at a time.

use std::sync::{Mutex, PoisonError};

use aggregator::{Settings, Store};
use embedded::{ClickHouseServer, Engine};
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
    server: ClickHouseServer,
    data: TempDir,
    runtime: Runtime,
}

/// A use of the engine. The last one closes it: a program that ends while it is open may crash, and leaves its data
/// behind.
pub(crate) struct InUse(());

/// A store on a database of its own, with the schema in it.
pub(crate) async fn store(database: &str) -> (Store, InUse) {
    let (url, in_use) = spawn_blocking(open).await.unwrap();
    let store = Store::new(&Settings {
        url,
        database: database.to_owned(),
        ..Settings::default()
    });
    store.migrate(|_| ()).await.unwrap();
    (store, in_use)
}

fn open() -> (String, InUse) {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let url = shared.server.get_or_insert_with(start).server.url();
    shared.users += 1;
    (url, InUse(()))
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.users -= 1;
        let last = if shared.users == 0 {
            shared.server.take()
        } else {
            None
        };
        if let Some(Server {
            server,
            data,
            runtime,
        }) = last
        {
            // Off the runtime of the test, which must not wait for another.
            let closing = std::thread::spawn(move || {
                runtime.block_on(server.shutdown());
                drop((runtime, data));
            });
            closing.join().unwrap();
        }
    }
}

fn start() -> Server {
    let cache = embedded::fetch::default_cache_dir().expect("there is a home");
    let library = embedded::ensure_engine(&cache, &mut |_| ()).unwrap();
    let data = TempDir::new().unwrap();
    // A runtime of its own: that of the test which comes first would end with it.
    let runtime = Runtime::new().unwrap();
    let engine = Engine::open(&library, data.path()).unwrap();
    let addr = ([127, 0, 0, 1], 0).into();
    let server = runtime.block_on(ClickHouseServer::start(engine, addr)).unwrap();
    Server {
        server,
        data,
        runtime,
    }
}
