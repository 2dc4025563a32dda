//! The handle on the facts and rollups.

use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clickhouse::{Client, Compression, query::Query};
use futures::future::try_join_all;

use crate::{Error, SealedBatch, Settings, cache::Cache, tables::Insert};

/// After how many seconds ClickHouse gives a statement up; 0: never.
pub(crate) const MAX_EXECUTION_TIME: &str = "max_execution_time";

/// The facts and rollups of all organisations in one database. Cloning it is cheap; making one opens no
/// connection.
#[derive(Clone)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) cache: Arc<Cache>,
    /// Organisations of which an event has arrived, as they are asked about.
    known_orgs: Arc<Mutex<HashSet<String>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The store that the settings speak of.
    pub fn new(settings: &Settings) -> Self {
        let client = Client::default()
            .with_url(&settings.url)
            .with_user(&settings.user)
            .with_password(&settings.password)
            .with_database(&settings.database);
        Self {
            client,
            settings: settings.clone(),
            cache: Arc::new(Cache::new(settings.cache_bytes)),
            known_orgs: Arc::default(),
        }
    }

    /// Asks ClickHouse for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        // The database may not be there yet, and asking in its name would be refused.
        let query = self.client.clone().with_database("default").query("SELECT 1");
        self.within(self.settings.query_timeout(), query.execute()).await
    }

    /// Inserts a batch and returns once ClickHouse has acknowledged every block of it, views included.
    ///
    /// The facts go first: what a rollup holds, the facts ask for, at every moment. A failure may leave a part of the
    /// batch behind. Inserting the batch again sets that right: facts and rollups are sets.
    ///
    /// # Errors
    /// [`Error::InvalidRows`]: at least one of the events will never be taken. Whatever else, such as
    /// [`Error::Unavailable`] or a schema that is missing: the batch may be taken later.
    pub async fn insert(&self, batch: &SealedBatch) -> Result<(), Error> {
        try_join_all(batch.facts.iter().map(|insert| self.send(insert))).await?;
        let rollups = try_join_all(batch.rollups.iter().map(|insert| self.send(insert))).await;
        match rollups {
            Ok(_) => Ok(()),
            // The facts have been taken, so it is not the events that are at fault, but what somebody did to a rollup.
            Err(Error::InvalidRows(source)) => Err(Error::Refused(source)),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, Insert { statement, chunks }: &Insert) -> Result<(), Error> {
        let insert = async {
            let mut insert = self
                .client
                .clone()
                .with_compression(Compression::None)
                // An acknowledgement must mean that the rows are there, and one insert is one block already.
                .with_setting("async_insert", "0")
                // A part has each row once: users are counted by it.
                .with_setting("optimize_on_insert", "1")
                .insert_formatted_with(*statement);
            for chunk in chunks {
                insert.send(chunk.clone()).await?;
            }
            insert.end().await
        };
        self.within(self.settings.insert_timeout(), insert).await
    }

    /// Whether any event of the organisation has arrived. What has arrived once has for ever, so that is asked once.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn org_exists(&self, org: &str) -> Result<bool, Error> {
        /// So many are remembered; then it begins anew.
        const REMEMBERED: usize = 10_000;
        if self.known_orgs().contains(org) {
            return Ok(true);
        }
        let query = self.query(include_str!("../sql/org_exists.sql"), org);
        let exists = self.run(query.fetch_one::<bool>()).await?;
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

    /// A query about an organisation, which it names `{org:String}`.
    pub(crate) fn query(&self, sql: &str, org: &str) -> Query {
        self.client
            .query(sql)
            // To find rows by a set is right for the keys of a page. A set of a million is sorted for nothing: the
            // rows that it would find are in every granule.
            .with_setting("use_index_for_in_with_subqueries_max_values", "100000")
            // ClickHouse does not see that nobody waits for an answer any more: over HTTP it would go on.
            .with_setting(MAX_EXECUTION_TIME, self.settings.query_timeout_secs.to_string())
            .param("org", org)
    }

    /// A statement that may go over everything there is, and whose groups may be more than memory holds.
    pub(crate) fn maintenance(&self, sql: &str) -> Query {
        /// Beyond so many bytes ClickHouse groups on disk.
        const MEMORY: &str = "1000000000";
        self.client
            .query_raw(sql)
            .with_setting("optimize_on_insert", "1")
            .with_setting(
                MAX_EXECUTION_TIME,
                self.settings.maintenance_timeout_secs.to_string(),
            )
            .with_setting("max_bytes_before_external_group_by", MEMORY)
            .with_setting("max_bytes_before_external_sort", MEMORY)
    }

    /// Awaits a query under the timeout of queries.
    pub(crate) async fn run<T>(
        &self,
        query: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T, Error> {
        self.within(self.settings.query_timeout(), query).await
    }

    /// Awaits work under a limit of time.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(limit, work).await {
            Ok(done) => Ok(done?),
            Err(_elapsed) => Err(Error::timed_out()),
        }
    }
}
