//! What every request shares.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aggregator::Store;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::time::Instant;

use crate::{
    account::{Account, Limits, Open},
    error::Error,
    freshness::Freshness,
    keys::Keys,
    settings::Settings,
    slots::{Lane, Queue},
    stored_keys::StoredKeys,
};

/// A timeout that no clock can add is as good as this one.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What every request shares.
pub(crate) struct App {
    keys: Keys,
    /// Those of the keys, in their order.
    accounts: Vec<Arc<Account>>,
    stored_keys: StoredKeys,
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
    open: Open,
    /// When it must be answered, however many queries of the store it takes.
    deadline: Instant,
}

impl App {
    pub(crate) fn new(settings: Settings, stored_keys: StoredKeys, store: Store) -> Self {
        let limits = Limits::new(
            settings.requests_per_key.get(),
            settings.requests_per_second,
            settings.burst,
        );
        Self {
            accounts: (0..settings.keys.len()).map(|_| Arc::default()).collect(),
            keys: settings.keys,
            stored_keys,
            store,
            freshness: Freshness::default(),
            configured: settings.orgs,
            timeout: settings.query_timeout,
            limits,
            questions: Lane::new("questions", settings.concurrent_queries.get()),
            lists: Lane::new("lists", settings.concurrent_lists.get()),
        }
    }

    /// The account of a key that opens an organisation, which need not exist.
    ///
    /// # Errors
    /// [`Error::KeyUnknown`], [`Error::KeyOfAnotherOrg`] and [`Error::KeysUnread`].
    pub(crate) fn account(&self, given: &str, org: &str) -> Result<Arc<Account>, Error> {
        let configured = self.keys.find(given.as_bytes());
        let configured = configured.map(|(key, scope)| (scope.clone(), Arc::clone(&self.accounts[key])));
        // Both are compared with, whatever is found: how long it takes says nothing.
        let stored = self.stored_keys.find(given);
        let (scope, account) = match configured {
            Some(found) => found,
            None => stored?.ok_or(Error::KeyUnknown)?,
        };
        if scope.opens(org) {
            Ok(account)
        } else {
            Err(Error::KeyOfAnotherOrg)
        }
    }

    /// Admits a request that comes now with a key, unless the key has too many.
    pub(crate) fn ask(&self, account: Arc<Account>) -> Result<Asked, Error> {
        Ok(Asked {
            deadline: self.deadline(),
            open: self.limits.admit(account)?,
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
        let queue = &asked.open.account().questions;
        self.run_in(&self.questions, queue, asked.deadline, query).await
    }

    async fn run_in<T>(
        &self,
        lane: &Lane,
        queue: &Queue,
        deadline: Instant,
        query: impl Future<Output = Result<T, aggregator::Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            // Held until the answer is there.
            let _slot = lane.slot(queue).await;
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
        let account = Arc::clone(asked.open.account());
        stream::try_unfold(
            (self, account, chunks, Some(asked)),
            |(app, account, mut chunks, asked)| async move {
                let deadline = asked
                    .as_ref()
                    .map_or_else(|| app.deadline(), |asked| asked.deadline);
                let next = chunks.try_next();
                let chunk = app.run_in(&app.lists, &account.lists, deadline, next).await?;
                Ok(chunk.map(|chunk| (chunk, (app, account, chunks, None))))
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
        let store = Store::new(&aggregator::Settings::default());
        Arc::new(App::new(settings, StoredKeys::default(), store))
    }

    fn ask(app: &App) -> Asked {
        app.ask(app.account("key", "acme").unwrap()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn all_queries_of_a_request_have_one_deadline() {
        let (app, began) = (app(), Instant::now());
        let asked = ask(&app);
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
        let asked = ask(&app);
        tokio::time::sleep(TIMEOUT / 2).await;
        let mut late = Arc::clone(&app).run_each::<()>(asked, stream::pending());
        assert!(late.next().await.unwrap().is_err());
        assert_eq!(began.elapsed(), TIMEOUT);

        let chunks = stream::iter([Ok(())]).chain(stream::pending());
        let mut list = Arc::clone(&app).run_each(ask(&app), chunks);
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
        let list = || Arc::clone(&app).run_each(ask(&app), stream::iter([Ok(1), Ok(2)]));
        let mut slow = list();
        assert_eq!(slow.next().await.unwrap().unwrap(), 1);
        let whole: Vec<_> = list().try_collect().now_or_never().unwrap().unwrap();
        assert_eq!(whole, [1, 2]);
        assert_eq!(slow.next().await.unwrap().unwrap(), 2);
    }
}
