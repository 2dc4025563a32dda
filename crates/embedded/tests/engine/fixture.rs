//! The engine that the tests share, and short words for what they do with it.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use embedded::{
    Engine, EngineError,
    engine::{Insert, Statement},
    ensure_engine,
    fetch::default_cache_dir,
};
use tempfile::TempDir;

/// An engine on a directory that goes with it.
pub(crate) struct Fixture {
    engine: Engine,
    _data: TempDir,
}

impl Deref for Fixture {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

pub(crate) fn library() -> PathBuf {
    let cache = default_cache_dir().expect("a home directory");
    ensure_engine(&cache, &mut |_| ()).expect("the engine's library")
}

/// The shared engine, closed once no test uses it.
pub(crate) fn engine() -> Arc<Fixture> {
    static ENGINE: Mutex<Weak<Fixture>> = Mutex::new(Weak::new());
    let mut shared = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = shared.upgrade() {
        return engine;
    }
    let data = tempfile::tempdir().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // The one before may be closing at this moment.
    let engine = loop {
        match Engine::open(&library(), data.path()) {
            Ok(engine) => break engine,
            Err(EngineError::Taken { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    };
    let fixture = Arc::new(Fixture { engine, _data: data });
    *shared = Arc::downgrade(&fixture);
    fixture
}

pub(crate) fn statement(sql: &str) -> Statement {
    Statement {
        sql: sql.to_owned(),
        ..Statement::default()
    }
}

pub(crate) fn with_settings(sql: &str, settings: &[(&str, &str)]) -> Statement {
    Statement {
        settings: map(settings),
        ..statement(sql)
    }
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// All that the statement gives, as text.
pub(crate) async fn try_text(engine: &Engine, statement: Statement) -> Result<String, EngineError> {
    let mut rows = engine.run(statement).await?;
    let mut out = Vec::new();
    while let Some(chunk) = rows.next().await? {
        out.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(out).expect("text"))
}

pub(crate) async fn text(engine: &Engine, sql: &str) -> String {
    try_text(engine, statement(sql))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The code and the text of the exception that the result has to be.
pub(crate) fn exception<T>(result: Result<T, EngineError>) -> (u32, String) {
    match result {
        Err(EngineError::Exception { code, message }) => (code, message),
        Err(error) => panic!("no exception but {error}"),
        Ok(_) => panic!("no exception"),
    }
}

pub(crate) async fn insert(engine: &Engine, sql: &str, format: &str) -> Insert {
    engine
        .insert(statement(sql), format)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Waits until the statement gives what is expected.
pub(crate) async fn eventually(engine: &Engine, sql: &str, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = text(engine, sql).await;
        if found == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{sql} still gives {found:?}, not {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
