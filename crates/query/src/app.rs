//! What every request shares.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aggregator::Store;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{
    error::Error,
    freshness::Freshness,
    keys::Keys,
    settings::Settings,
    slots::{Lane, Limits},
};

/// A timeout that no clock can add is as good as this one.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What every request shares.
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    pub(crate) freshness: Freshness,
    configured: BTreeSet<String>,
    timeout: Duration,
    limits: Limits,
    questions: Lane,
    lists: Lane,
}

/// A request of a key that is not answered yet.
pub(crate) struct Asked {
    key: usize,
    /// When it must be answered, however many queries of the store it takes.
    deadline: Instant,
    _counted: OwnedSemaphorePermit,
}

impl App {
    pub(crate) fn new(settings: Settings, store: Store) -> Self {
        let keys = settings.keys.len();
        Self {
            keys: settings.keys,
            store,
            freshness: Freshness::default(),
            configured: settings.orgs,
            timeout: settings.query_timeout,
            limits: Limits::new(settings.requests_per_key.get(), keys),
            questions: Lane::new("questions", settings.concurrent_queries.get(), keys),
            lists: Lane::new("lists", settings.concurrent_lists.get(), keys),
        }
    }

    /// Admits a request that comes now with a key, unless the key has too many.
    pub(crate) fn ask(&self, key: usize) -> Result<Asked, Error> {
        Ok(Asked {
            key,
            deadline: self.deadline(),
            _counted: self.limits.admit(key)?,
        })
    }

    fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timeout).unwrap_or_else(|| now + LONGEST)
    }

    /// Runs a query of the store once it is the turn of the key, until the deadline of its request.
    pub(crate) async fn run<T>(
        &self,
        asked: &Asked,
        query: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        self.run_in(&self.questions, asked.key, asked.deadline, query)
            .await
    }

    async fn run_in<T>(
        &self,
        lane: &Lane,
        key: usize,
        deadline: Instant,
        query: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            // Held until the answer is there.
            let _slot = lane.slot(key).await;
            query.await
        };
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer.map_err(Error::Store),
            Err(_) => Err(Error::Timeout(self.timeout)),
        }
    }

    /// The chunks of a list, each read from the store in a turn of its own, so that a slow reader holds no slot between two of
    /// them. The first is there by the deadline of its request, which it answers, each further one within the timeout. It
    /// ends with the first error.
    pub(crate) fn run_each<T: Send + 'static>(
        self: Arc<Self>,
        asked: Asked,
        chunks: impl Stream<Item = Result<T, aggregator::Error>> + Unpin + Send + 'static,
    ) -> BoxStream<'static, Result<T, Error>> {
        let key = asked.key;
        stream::try_unfold(
            (self, chunks, Some(asked)),
            move |(app, mut chunks, asked)| async move {
                let deadline = asked
                    .as_ref()
                    .map_or_else(|| app.deadline(), |asked| asked.deadline);
                let chunk = app.run_in(&app.lists, key, deadline, chunks.try_next()).await?;
                Ok(chunk.map(|chunk| (chunk, (app, chunks, None))))
            },
        )
        .boxed()
    }

    /// Whether the organisation is configured or any event of it has arrived.
    pub(crate) async fn org_exists(&self, org: &str, asked: &Asked) -> Result<bool, Error> {
        Ok(self.configured.contains(org) || self.run(asked, self.store.org_exists(org)).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::{FutureExt, StreamExt};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn app() -> Arc<App> {
        let settings = Settings {
            keys: "key=*".to_owned().try_into().unwrap(),
            query_timeout: TIMEOUT,
            ..Settings::default()
        };
        Arc::new(App::new(settings, Store::new(&aggregator::Settings::default())))
    }

    #[tokio::test(start_paused = true)]
    async fn all_queries_of_a_request_have_one_deadline() {
        let (app, began) = (app(), Instant::now());
        let asked = app.ask(0).unwrap();
        let slow = async {
            tokio::time::sleep(TIMEOUT / 3 * 2).await;
            Ok(())
        };
        app.run(&asked, slow).await.unwrap();
        let late = app.run::<()>(&asked, pending()).await.unwrap_err();
        assert!(matches!(late, Error::Timeout(TIMEOUT)));
        assert_eq!(began.elapsed(), TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_has_begun_by_the_deadline_and_goes_on_within_the_timeout() {
        let (app, began) = (app(), Instant::now());
        let asked = app.ask(0).unwrap();
        tokio::time::sleep(TIMEOUT / 2).await;
        let mut late = Arc::clone(&app).run_each::<()>(asked, stream::pending());
        assert!(late.next().await.unwrap().is_err());
        assert_eq!(began.elapsed(), TIMEOUT);

        let chunks = stream::iter([Ok(())]).chain(stream::pending());
        let mut list = Arc::clone(&app).run_each(app.ask(0).unwrap(), chunks);
        assert!(list.next().await.unwrap().is_ok());
        // The time that a client takes to read a chunk is its own.
        tokio::time::sleep(TIMEOUT * 2).await;
        let read = Instant::now();
        assert!(list.next().await.unwrap().is_err());
        assert_eq!(read.elapsed(), TIMEOUT);
    }

    #[tokio::test]
    async fn a_client_that_reads_no_further_holds_no_slot() {
        let app = app();
        let list = || Arc::clone(&app).run_each(app.ask(0).unwrap(), stream::iter([Ok(1), Ok(2)]));
        let mut slow = list();
        assert_eq!(slow.next().await.unwrap().unwrap(), 1);
        let whole: Vec<_> = list().try_collect().now_or_never().unwrap().unwrap();
        assert_eq!(whole, [1, 2]);
        assert_eq!(slow.next().await.unwrap().unwrap(), 2);
    }
}
