//! Keeps what the API knows of the keys in ClickHouse up to date, and there when they were used.

use std::time::Duration;

use aggregator::Store;
use query::{DueUses, StoredKeys};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::settings::AuthSettings;

/// How long ClickHouse may take to answer at the start, before the API serves without.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take from then on.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take at the end.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the keys again and again.
#[derive(Debug)]
pub(crate) struct KeyReader {
    keys: StoredKeys,
    store: Store,
    interval: Duration,
    max_age: Duration,
    /// What has failed and was logged: reading keys, and keeping their uses.
    unread: bool,
    unkept: bool,
}

impl KeyReader {
    /// Reads the keys for the first time. Where ClickHouse does not answer, that is logged.
    pub(crate) async fn start(settings: &AuthSettings, store: &Store) -> Self {
        let max_age = Duration::from_secs(settings.max_age_secs);
        let mut reader = Self {
            keys: StoredKeys::new(max_age),
            store: store.clone(),
            interval: Duration::from_secs(settings.refresh_secs),
            max_age,
            unread: false,
            unkept: false,
        };
        reader.read(START_TIMEOUT).await;
        if settings.keys.is_empty() && reader.keys.is_empty() && !reader.unread {
            warn!(
                "there is no API key: every request is answered with 401 until `rollcall keys create` made one"
            );
        }
        reader
    }

    /// The keys that it reads.
    pub(crate) fn keys(&self) -> StoredKeys {
        self.keys.clone()
    }

    /// Reads the keys, and keeps when they were used, until `shutdown`.
    ///
    /// # Errors
    /// Never: what fails is tried again.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        while shutdown.run_until_cancelled(self.turn()).await.is_some() {}
        self.keep_uses(END_TIMEOUT, DueUses::All).await;
        Ok(())
    }

    async fn turn(&mut self) {
        sleep(self.interval).await;
        self.read(READ_TIMEOUT).await;
        if !self.unread {
            self.keep_uses(READ_TIMEOUT, DueUses::OfMinutes).await;
        }
    }

    async fn read(&mut self, limit: Duration) {
        let read = within(limit, self.keys.refresh(&self.store)).await;
        match (&read, self.unread) {
            (Err(reason), false) => warn!(
                "API keys cannot be read from ClickHouse; those that are known hold for {} s: {reason}",
                self.max_age.as_secs()
            ),
            (Ok(()), true) => info!("API keys are read from ClickHouse again"),
            _ => {}
        }
        self.unread = read.is_err();
    }

    async fn keep_uses(&mut self, limit: Duration, which: DueUses) {
        let kept = within(limit, self.keys.note_uses(&self.store, which)).await;
        if let (Err(reason), false) = (&kept, self.unkept) {
            warn!("it is not kept when API keys were used: {reason}");
        }
        self.unkept = kept.is_err();
    }
}

/// Awaits something of the store; else why it is not done.
async fn within(
    limit: Duration,
    work: impl Future<Output = Result<(), aggregator::Error>>,
) -> Result<(), String> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
        Err(_elapsed) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}
