//! The real ClickHouse engine: one for each test program, started by the first test that asks for it and ended after
//! the last.

use std::{
    env,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use embedded::{Engine, EngineOptions, ensure_engine, fetch::default_cache_dir};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::spawn_blocking};

/// The password of the engine's user. It is no secret: the engine holds only made-up data, while tests run.
pub(crate) const PASSWORD: &str = "testbed";

/// Users who may less than the engine's own, with the same password.
const USERS: &str = "<clickhouse>
    <profiles>
        <readonly_1><readonly>1</readonly></readonly_1>
        <readonly_2><readonly>2</readonly></readonly_2>
    </profiles>
    <users>
        <readonly_1>
            <password>testbed</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>readonly_1</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT, INSERT ON *.*</query></grants>
        </readonly_1>
        <readonly_2>
            <password>testbed</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>readonly_2</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT, INSERT ON *.*</query></grants>
        </readonly_2>
        <reader>
            <password>testbed</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT ON *.*</query></grants>
        </reader>
        <stranger>
            <password>testbed</password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT ON system.one</query></grants>
        </stranger>
    </users>
</clickhouse>
";

/// The test that [`engine_process`](crate::engine_process) makes.
const PROCESS: &str = "engine_process";

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    users: 0,
    server: None,
});

struct Shared {
    users: usize,
    server: Option<Server>,
}

struct Server {
    engine: Engine,
    data: TempDir,
    runtime: Runtime,
}

/// Defines the process that [`ClickHouse`] runs the engine in, as an ignored test. It belongs in the root of each test
/// program that uses the engine.
#[macro_export]
macro_rules! engine_process {
    () => {
        #[test]
        #[ignore = "the process of the engine, which the tests start themselves"]
        fn engine_process() {
            $crate::run_engine();
        }
    };
}

/// Runs the engine in this process, until its parent ends.
pub fn run_engine() {
    if let Err(error) = embedded::run_engine() {
        eprintln!("{error}");
    }
}

/// A use of the engine; dropping the last one ends it and deletes its data.
#[derive(Debug)]
pub struct ClickHouse {
    url: String,
}

impl ClickHouse {
    /// The engine that runs, or a new one. Fetches the engine where it is not in the cache.
    ///
    /// # Panics
    /// If it cannot be fetched or started: no test that needs it can go on.
    pub async fn get() -> Self {
        let url = spawn_blocking(|| {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            let url = shared.server.get_or_insert_with(start).engine.url();
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

    /// The user that may do what Rollcall needs.
    pub fn user(&self) -> &'static str {
        Engine::USER
    }

    /// The password of that user, and of those that [`add_users`] adds.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.users -= 1;
        if shared.users > 0 {
            return;
        }
        if let Some(Server {
            engine,
            data,
            runtime,
        }) = shared.server.take()
        {
            // Not on the runtime of the test, which must not block on another.
            let closing = std::thread::spawn(move || {
                runtime.block_on(engine.shutdown());
                drop((runtime, data));
            });
            closing.join().expect("the engine closes");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.engine.url())
            .finish_non_exhaustive()
    }
}

/// Adds users to an engine that is not started yet: `readonly_1` and `readonly_2`, whose profile has that setting, `reader`,
/// who may select, and `stranger`, who may do nothing with our tables.
///
/// # Panics
/// If the file cannot be written.
pub fn add_users(data: &Path) {
    let folder = data.join("users.d");
    fs::create_dir_all(&folder).expect("a directory can be made");
    fs::write(folder.join("testbed.xml"), USERS).expect("a file can be written");
}

/// The engine's library, fetched where it is not in the cache.
pub(crate) fn library() -> PathBuf {
    let cache = default_cache_dir().expect("HOME or XDG_CACHE_HOME is set: the engine is kept below it");
    ensure_engine(&cache, &mut |_| ()).expect("the engine can be fetched")
}

/// This test program, as the process of an engine.
pub(crate) fn program() -> (PathBuf, Vec<OsString>) {
    let path = env::current_exe().expect("a program knows its path");
    let arguments = [PROCESS, "--exact", "--ignored", "--nocapture"];
    (path, arguments.map(Into::into).into())
}

fn start() -> Server {
    let data = TempDir::new().expect("a temporary directory can be made");
    add_users(data.path());
    // A runtime of its own: that of the first test would end with it.
    let runtime = Runtime::new().expect("threads can be started");
    let options = EngineOptions {
        program: program(),
        library: library(),
        data: data.path().to_owned(),
        http: ([127, 0, 0, 1], 0).into(),
        member: None,
        password: PASSWORD.to_owned(),
        on_crash: || (),
    };
    let engine = runtime
        .block_on(Engine::start(options))
        .expect("the engine starts");
    Server {
        engine,
        data,
        runtime,
    }
}
