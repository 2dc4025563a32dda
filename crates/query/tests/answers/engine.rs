//! One engine for all tests of this program.

use aggregator::{Settings, Store};
use embedded::{ClickHouseServer, Engine};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::OnceCell, task::spawn_blocking};

struct Server {
    server: ClickHouseServer,
    _data: TempDir,
    _runtime: Runtime,
}

/// A store on a database of its own, with the schema in it.
pub(crate) async fn store(database: &str) -> Store {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    let server = SERVER
        .get_or_init(|| async { spawn_blocking(start).await.unwrap() })
        .await;
    let store = Store::new(&Settings {
        url: server.server.url(),
        database: database.to_owned(),
        ..Settings::default()
    });
    store.migrate(|_| ()).await.unwrap();
    store
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
        _data: data,
        _runtime: runtime,
    }
}
