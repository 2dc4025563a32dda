//! What every request shares.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aggregator::Store;
use events::Conversation;
use futures::{Stream, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::{error::Error, keys::Keys, settings::Settings};

/// What every request shares.
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    configured: BTreeSet<String>,
    timeout: Duration,
    slots: Semaphore,
}

impl App {
    pub(crate) fn new(settings: Settings, store: Store) -> Self {
        Self {
            keys: settings.keys,
            store,
            configured: settings.orgs,
            timeout: settings.query_timeout,
            slots: Semaphore::new(settings.concurrent_queries.get().min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Runs a query of the store once a slot is free, within the timeout.
    pub(crate) async fn run<T>(
        &self,
        query: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            // The semaphore is never closed, so this is a permit; it is held until the answer is there.
            let _slot = self.slots.acquire().await;
            query.await
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(Error::Store),
            Err(_) => Err(Error::Timeout(self.timeout)),
        }
    }

    /// The chunks of a list, each read from the store like a query of its own, so that a slow reader holds no slot
    /// between two of them. It ends with the first error.
    pub(crate) fn run_each(
        self: Arc<Self>,
        chunks: impl Stream<Item = Result<Vec<Conversation>, aggregator::Error>> + Unpin + Send,
    ) -> impl Stream<Item = Result<Vec<Conversation>, Error>> + Send {
        stream::try_unfold((self, chunks), |(app, mut chunks)| async move {
            let chunk = app.run(chunks.try_next()).await?;
            Ok(chunk.map(|chunk| (chunk, (app, chunks))))
        })
    }

    /// Whether the organisation is configured or any event of it has arrived.
    pub(crate) async fn org_exists(&self, org: &str) -> Result<bool, Error> {
        Ok(self.configured.contains(org) || self.run(self.store.org_exists(org)).await?)
    }
}
