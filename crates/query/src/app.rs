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

    /// Puts a question to the store once a slot is free, and gives up when the time is over.
    pub(crate) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            // Nobody closes the semaphore: what comes back is a permit, held until the answer is there.
            let _slot = self.slots.acquire().await;
            question.await
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(Error::Store),
            Err(_) => Err(Error::Late(self.timeout)),
        }
    }

    /// The chunks of a list, each asked of the store like a question of its own, so that a slow reader holds no
    /// slot between two of them. It ends with the first error.
    pub(crate) fn ask_each(
        self: Arc<Self>,
        chunks: impl Stream<Item = Result<Vec<Conversation>, aggregator::Error>> + Unpin + Send,
    ) -> impl Stream<Item = Result<Vec<Conversation>, Error>> + Send {
        stream::try_unfold((self, chunks), |(app, mut chunks)| async move {
            let chunk = app.ask(chunks.try_next()).await?;
            Ok(chunk.map(|chunk| (chunk, (app, chunks))))
        })
    }

    /// Whether the organisation is configured or any event of it has arrived.
    pub(crate) async fn org_exists(&self, org: &str) -> Result<bool, Error> {
        Ok(self.configured.contains(org) || self.ask(self.store.org_exists(org)).await?)
    }
}
