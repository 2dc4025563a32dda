//! The handle on the facts and rollups.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use events::{CohortCount, DateRange, Grain, NewUsersBy, Timestamp};
use futures::future::{try_join, try_join_all};

use crate::{
    activity::ActivityQuery,
    batch::{Batch, SealedBatch},
    changes::{ChangeCounter, LastLook},
    connection::Connection,
    erasures::Erasures,
    error::Error,
    insert::Inserter,
    nodes::Nodes,
    settings::Settings,
    tables::Insert,
};

/// The facts and rollups of all organisations in one database. Cloning it is cheap; making one opens no
/// connection.
#[derive(Clone)]
pub struct Store {
    pub(crate) clickhouse: Connection,
    inserter: Inserter,
    pub(crate) changes: Arc<ChangeCounter>,
    /// Who is to be forgotten, as it was known last.
    erasures: Arc<Mutex<Arc<Erasures>>>,
    /// Organisations of which an event has arrived, among those that were asked about.
    known_orgs: Arc<Mutex<HashSet<String>>>,
}

/// One of the nodes that are listed.
pub(crate) struct Node {
    pub(crate) store: Store,
    has_peers: bool,
}

impl Node {
    /// An error of this node, which is named where there are others.
    pub(crate) fn named(&self, error: Error) -> Error {
        if self.has_peers {
            Error::OfNode {
                url: self.store.clickhouse.settings.url.clone(),
                source: Box::new(error),
            }
        } else {
            error
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("settings", &self.clickhouse.settings)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The store of these settings.
    pub fn new(settings: &Settings) -> Self {
        let nodes = Nodes::new(settings);
        Self {
            clickhouse: Connection::new(settings, &nodes),
            inserter: Inserter::new(&nodes),
            changes: Arc::new(ChangeCounter::new()),
            erasures: Arc::default(),
            known_orgs: Arc::default(),
        }
    }

    /// The nodes that are listed, each with its own tables alone.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let settings = &self.clickhouse.settings;
        let has_peers = settings.urls().count() > 1;
        let node = |url: &str| Node {
            store: Self::new(&Settings {
                url: url.to_owned(),
                cluster: None,
                ..Settings::clone(settings)
            }),
            has_peers,
        };
        settings.urls().map(node).collect()
    }

    /// Asks ClickHouse whether it is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it does not answer.
    pub async fn ping(&self) -> Result<(), Error> {
        let query = self.clickhouse.of_server().client.query("SELECT 1");
        self.clickhouse
            .within(self.clickhouse.settings.query_timeout(), query.execute())
            .await
    }

    /// What tells the database from any other, wherever it is reached from: a random UUID, from its first migration on.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn database_id(&self) -> Result<String, Error> {
        let query = self.clickhouse.question(include_str!("../sql/database_id.sql"));
        self.clickhouse.one(query).await
    }

    /// How often [`Store::observe`] is due.
    pub fn observe_interval(&self) -> Duration {
        self.clickhouse.settings.observe_interval()
    }

    /// How often [`Store::erase`] is due.
    pub fn erase_interval(&self) -> Duration {
        self.clickhouse.settings.erase_interval()
    }

    /// Observes what has ended and does not change any more, and returns how many periods that were: see
    /// [`Store::observe_users`] and [`Store::observe_conversations`].
    ///
    /// # Errors
    /// Those of any query: see [`Error`]. What of the two can be observed is.
    pub async fn observe(&self, now: Timestamp, last: &mut LastLook) -> Result<u64, Error> {
        let of_users = self.observe_users_since(now, Some(&mut *last)).await;
        let of_conversations = self.observe_conversations_since(now, Some(last)).await?;
        Ok(of_users? + of_conversations)
    }

    /// A batch without events, which takes none of those who are to be forgotten, as far as was known by
    /// [`Store::refresh_erasures`] or the last insert.
    pub fn batch(&self) -> Batch {
        Batch::without(self.erasures())
    }

    fn erasures(&self) -> Arc<Erasures> {
        let erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&erasures)
    }

    /// Asks who is to be forgotten.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn refresh_erasures(&self) -> Result<(), Error> {
        self.current_erasures().await.map(drop)
    }

    pub(crate) async fn current_erasures(&self) -> Result<Arc<Erasures>, Error> {
        let known = self.erasures();
        match self.clickhouse.erasures_since(&known).await? {
            None => Ok(known),
            Some(erasures) => {
                let erasures = Arc::new(erasures);
                *self.erasures.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&erasures);
                Ok(erasures)
            }
        }
    }

    /// Inserts a batch and returns once ClickHouse has acknowledged every block of it, views included.
    ///
    /// The facts go first: at every moment a rollup holds no more than follows from the facts. A failure may leave a part
    /// of the batch there. Inserting the batch again completes it: facts and rollups are sets.
    ///
    /// # Errors
    /// [`Error::InvalidRows`]: at least one of the events will never be taken. [`Error::TooLarge`]: a smaller batch may be.
    /// Whatever else, such as [`Error::Unavailable`] or a schema that is missing: the batch may be taken later.
    pub async fn insert(&self, batch: &SealedBatch, clock: impl Fn() -> Timestamp) -> Result<(), Error> {
        self.insert_facts(batch).await?;
        let rollups = async {
            // What was known of the registrations and annotations before is looked up meanwhile: what these rows change, they
            // enter themselves.
            let inserted = async {
                try_join_all(batch.rollups.iter().map(|insert| self.send(insert))).await?;
                match &batch.activity {
                    Some(activity) => self.send(activity).await,
                    None => Ok(()),
                }
            };
            let ((), past) = try_join(inserted, self.look_up_past(batch, &clock)).await?;
            self.request_erasures_of(batch).await?;
            self.enter_changes(batch, past, clock).await
        };
        match rollups.await {
            // The facts have been taken, so the events are not at fault, but a change that was made to a rollup by hand.
            Err(Error::InvalidRows(source)) => Err(Error::Refused(source)),
            inserted => inserted,
        }
    }

    /// Inserts the facts of a batch alone, which decide whether its events are taken. The batch is to be inserted afterwards.
    ///
    /// # Errors
    /// As [`Store::insert`].
    pub async fn insert_facts(&self, batch: &SealedBatch) -> Result<(), Error> {
        try_join_all(batch.facts.iter().map(|insert| self.send(insert))).await?;
        Ok(())
    }

    pub(crate) async fn send(&self, insert: &Insert) -> Result<(), Error> {
        let settings = &self.clickhouse.settings;
        tokio::time::timeout(settings.insert_timeout(), self.inserter.insert(settings, insert))
            .await
            .unwrap_or_else(|_elapsed| Err(Error::timed_out()))
    }

    /// Whether any event of the organisation has arrived. Once it has, ClickHouse need not be asked again.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn org_exists(&self, org: &str) -> Result<bool, Error> {
        /// The maximum number that is remembered; then all are forgotten.
        const REMEMBERED: usize = 10_000;
        if self.known_orgs().contains(org) {
            return Ok(true);
        }
        let query = self.clickhouse.query(include_str!("../sql/org_exists.sql"), org);
        let exists = self.clickhouse.one::<bool>(query).await?;
        if exists {
            let mut known = self.known_orgs();
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(org.to_owned());
        }
        Ok(exists)
    }

    fn known_orgs(&self) -> MutexGuard<'_, HashSet<String>> {
        self.known_orgs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Distinct active users, one count for each period of the range, in order.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn usage_summary(&self, org: &str, range: DateRange, grain: Grain) -> Result<Vec<u64>, Error> {
        let query = ActivityQuery {
            org,
            range,
            grain,
            mentor: None,
        };
        // In a box, as it waits for several statements.
        Box::pin(query.usage(&self.clickhouse)).await
    }

    /// New and veteran users, one count for each period of the range, in order; with a mentor, of those active with it.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn cohorts(
        &self,
        org: &str,
        range: DateRange,
        grain: Grain,
        mentor: Option<&str>,
        new_users_by: NewUsersBy,
    ) -> Result<Vec<CohortCount>, Error> {
        let query = ActivityQuery {
            org,
            range,
            grain,
            mentor,
        };
        let (new_users, veterans) = Box::pin(query.cohorts(&self.clickhouse, new_users_by)).await?;
        Ok(range
            .periods(grain)
            .zip(new_users)
            .zip(veterans)
            .map(|((period, new_users), veteran_users)| CohortCount {
                period,
                new_users,
                veteran_users,
            })
            .collect())
    }
}
