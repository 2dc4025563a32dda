//! The way to ClickHouse: each statement under a limit of time.

use std::{future::Future, time::Duration};

use clickhouse::{Client, query::Query};

use crate::{error::Error, settings::Settings};

/// After how many seconds ClickHouse gives a statement up; 0: never.
pub(crate) const MAX_EXECUTION_TIME: &str = "max_execution_time";

/// A client of one database, and how long its statements may take. Cloning it is cheap; making one opens no connection
/// yet.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(settings: &Settings) -> Self {
        let client = Client::default()
            .with_url(&settings.url)
            .with_user(&settings.user)
            .with_password(&settings.password)
            .with_database(&settings.database);
        Self {
            client,
            settings: settings.clone(),
        }
    }

    /// A query about an organisation, which it names `{org:String}`.
    pub(crate) fn query(&self, sql: &str, org: &str) -> Query {
        self.question(sql).param("org", org)
    }

    /// A query that somebody waits for.
    pub(crate) fn question(&self, sql: &str) -> Query {
        self.client
            .query(sql)
            // To find rows by a set is right for the keys of a page. A set of a million is sorted for nothing: the
            // rows that it would find are in every granule.
            .with_setting("use_index_for_in_with_subqueries_max_values", "100000")
            // ClickHouse does not notice that nobody waits for an answer any more: over HTTP it would continue.
            .with_setting(MAX_EXECUTION_TIME, self.settings.query_timeout_secs.to_string())
    }

    /// A statement that names many users in its text.
    pub(crate) fn lookup(&self, sql: &str) -> Query {
        /// More than the names of so many users may be, in bytes.
        const TEXT: &str = "20000000";
        self.client.query_raw(sql).with_setting("max_query_size", TEXT)
    }

    /// A statement that may read everything there is, and whose groups may be more than memory holds.
    pub(crate) fn maintenance(&self, sql: &str) -> Query {
        /// The number of bytes beyond which ClickHouse groups on disk.
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

    /// Runs a statement that changes the schema or fills a table.
    pub(crate) async fn change(&self, sql: &str) -> Result<(), Error> {
        let limit = self.settings.maintenance_timeout();
        self.within(limit, self.maintenance(sql).execute()).await
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
