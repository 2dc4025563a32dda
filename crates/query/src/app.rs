//! What every request shares.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aggregator::Store;
use events::Conversation;
use futures::{Stream, TryStreamExt, stream};
use tokio::{sync::Semaphore, time::Instant};

use crate::{error::Error, keys::Keys, settings::Settings};

/// A timeout that no clock can add is as good as this one.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

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

    /// When a request that comes now must be answered, however many queries it takes.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timeout).unwrap_or_else(|| now + LONGEST)
    }

    /// Runs a query of the store once a slot is free, until the deadline.
    pub(crate) async fn run<T>(
        &self,
        deadline: Instant,
        query: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            // The semaphore is never closed, so this is a permit; it is held until the answer is there.
            let _slot = self.slots.acquire().await;
            query.await
        };
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer.map_err(Error::Store),
            Err(_) => Err(Error::Timeout(self.timeout)),
        }
    }

    /// The chunks of a list, each read from the store like a query of its own, so that a slow reader holds no slot
    /// between two of them. The first is there by the deadline, each further one within the timeout. It ends with the first
    /// error.
    pub(crate) fn run_each(
        self: Arc<Self>,
        deadline: Instant,
        chunks: impl Stream<Item = Result<Vec<Conversation>, aggregator::Error>> + Unpin + Send,
    ) -> impl Stream<Item = Result<Vec<Conversation>, Error>> + Send {
        stream::try_unfold(
            (self, chunks, Some(deadline)),
            |(app, mut chunks, deadline)| async move {
                let deadline = deadline.unwrap_or_else(|| app.deadline());
                let chunk = app.run(deadline, chunks.try_next()).await?;
                Ok(chunk.map(|chunk| (chunk, (app, chunks, None))))
            },
        )
    }

    /// Whether the organisation is configured or any event of it has arrived.
    pub(crate) async fn org_exists(&self, org: &str, deadline: Instant) -> Result<bool, Error> {
        Ok(self.configured.contains(org) || self.run(deadline, self.store.org_exists(org)).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::StreamExt;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn app() -> Arc<App> {
        let settings = Settings {
            query_timeout: TIMEOUT,
            ..Settings::default()
        };
        Arc::new(App::new(settings, Store::new(&aggregator::Settings::default())))
    }

    #[tokio::test(start_paused = true)]
    async fn all_queries_of_a_request_have_one_deadline() {
        let (app, began) = (app(), Instant::now());
        let deadline = app.deadline();
        let slow = async {
            tokio::time::sleep(TIMEOUT / 3 * 2).await;
            Ok(())
        };
        app.run(deadline, slow).await.unwrap();
        let late = app.run::<()>(deadline, pending()).await.unwrap_err();
        assert!(matches!(late, Error::Timeout(TIMEOUT)));
        assert_eq!(began.elapsed(), TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_has_begun_by_the_deadline_and_goes_on_within_the_timeout() {
        let (app, began) = (app(), Instant::now());
        let deadline = app.deadline();
        tokio::time::sleep(TIMEOUT / 2).await;
        let mut late = Box::pin(Arc::clone(&app).run_each(deadline, stream::pending()));
        assert!(late.next().await.unwrap().is_err());
        assert_eq!(began.elapsed(), TIMEOUT);

        let chunks = stream::iter([Ok(Vec::new())]).chain(stream::pending());
        let mut list = Box::pin(Arc::clone(&app).run_each(app.deadline(), chunks));
        assert!(list.next().await.unwrap().is_ok());
        // The time that a client takes to read a chunk is its own.
        tokio::time::sleep(TIMEOUT * 2).await;
        let read = Instant::now();
        assert!(list.next().await.unwrap().is_err());
        assert_eq!(read.elapsed(), TIMEOUT);
    }
}
