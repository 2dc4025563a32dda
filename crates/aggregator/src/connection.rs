//! The way to ClickHouse: each statement under a limit of time.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use clickhouse::{Client, RowOwned, RowRead, query::Query};

use crate::{error::Error, nodes::Nodes, settings::Settings};

/// After how many seconds ClickHouse gives a statement up; 0: never.
pub(crate) const MAX_EXECUTION_TIME: &str = "max_execution_time";

/// How long to wait before a statement is sent again.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// A client of one database, and how long its statements may take. Cloning it is cheap; making one opens no connection
/// yet.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) settings: Arc<Settings>,
    /// How many nodes there are besides the one that is asked.
    other_nodes: usize,
    /// For how long what is interrupted is asked again, besides once of each other node.
    patience: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(settings: &Settings, nodes: &Nodes) -> Self {
        let mut client = Client::with_http_client(nodes.client())
            .with_url(settings.urls().next().unwrap_or_default())
            .with_user(&settings.user)
            .with_password(&settings.password)
            .with_database(&settings.database);
        for (name, value) in &settings.settings {
            client = client.with_setting(name, value);
        }
        if settings.cluster.is_some() {
            // A part of an answer is none.
            client = client.with_setting("skip_unavailable_shards", "0");
        }
        Self {
            client,
            settings: Arc::new(settings.clone()),
            other_nodes: nodes.count().saturating_sub(1),
            patience: Duration::ZERO,
        }
    }

    /// The same for whoever would rather wait than start again.
    pub(crate) fn patient(&self) -> Self {
        Self {
            patience: self.settings.query_timeout(),
            ..self.clone()
        }
    }

    /// The same for what the server is asked about itself: it refuses a statement in the name of a database that is not there.
    pub(crate) fn of_server(&self) -> Self {
        Self {
            client: self.client.clone().with_database("default"),
            ..self.clone()
        }
    }

    /// The same for questions that may read everything there is.
    pub(crate) fn unhurried(&self) -> Self {
        let settings = Settings {
            query_timeout_secs: self.settings.maintenance_timeout_secs,
            ..Settings::clone(&self.settings)
        };
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// A query about an organisation, which it names `{org:String}`.
    pub(crate) fn query(&self, sql: &str, org: &str) -> Query {
        self.question(sql).param("org", org)
    }

    /// A query that somebody waits for.
    pub(crate) fn question(&self, sql: &str) -> Query {
        self.client
            .query(&self.settings.of_shards(sql))
            .param("db", &self.settings.database)
            // To find rows by a set is right for the keys of a page. A set of a million is sorted for nothing: the
            // rows that it would find are in every granule.
            .with_setting("use_index_for_in_with_subqueries_max_values", "100000")
            // ClickHouse does not notice that nobody waits for an answer any more: over HTTP it would continue.
            .with_setting(MAX_EXECUTION_TIME, self.settings.query_timeout_secs.to_string())
    }

    /// A statement that names many rows in its text. It has no parameters: what has any is sent as a form, and of a field of a
    /// form ClickHouse takes 128 KiB, whatever a request sets.
    pub(crate) fn lookup(&self, sql: &str) -> Query {
        /// More than the names of so many rows may be, in bytes, each of them escaped.
        const TEXT: &str = "200000000";
        let database = self.settings.database.replace('\\', "\\\\").replace('`', "\\`");
        let sql = self.settings.of_shards(sql);
        let sql = sql.replace("{db:Identifier}", &format!("`{database}`"));
        on_every_shard(self.client.query_raw(&sql)).with_setting("max_query_size", TEXT)
    }

    /// A statement that may insert what it selects, on whichever shards that belongs.
    pub(crate) fn spreading(&self, sql: &str) -> Query {
        let sql = self.settings.of_shards(sql);
        on_every_shard(self.client.query_raw(&sql).param("db", &self.settings.database))
    }

    /// A statement that may read everything there is, and whose groups may be more than memory holds.
    pub(crate) fn maintenance(&self, sql: &str) -> Query {
        /// The number of bytes beyond which ClickHouse groups on disk.
        const MEMORY: &str = "1000000000";
        self.spreading(sql)
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

    /// The rows of a statement that changes nothing. Where the node that was asked goes away, another is asked.
    pub(crate) async fn rows<T: RowOwned + RowRead>(&self, query: Query) -> Result<Vec<T>, Error> {
        if self.other_nodes == 0 && self.patience.is_zero() {
            // Never sent again, so not copied: its text may be long.
            return self.run(query.fetch_all()).await;
        }
        self.ask(|| query.clone().fetch_all()).await
    }

    /// The first rows of a statement that changes nothing: as many as are enough together, by what each takes in bytes.
    pub(crate) async fn first_rows<T: RowOwned + RowRead>(
        &self,
        query: Query,
        bytes: fn(&T) -> usize,
        enough: usize,
    ) -> Result<Vec<T>, Error> {
        self.ask(|| first_rows(query.clone(), bytes, enough)).await
    }

    /// Asks until there is an answer, or no other node and no patience is left.
    async fn ask<T, F>(&self, fetch: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = clickhouse::error::Result<T>>,
    {
        let began = Instant::now();
        let mut other_nodes = self.other_nodes;
        loop {
            match self.run(fetch()).await {
                Err(error) if error.is_interruption() && other_nodes > 0 => other_nodes -= 1,
                Err(error) if error.is_interruption() && began.elapsed() < self.patience => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                answer => return answer,
            }
        }
    }

    /// The first row, if there is one.
    pub(crate) async fn row<T: RowOwned + RowRead>(&self, query: Query) -> Result<Option<T>, Error> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// The row of a statement that has one.
    pub(crate) async fn one<T: RowOwned + RowRead>(&self, query: Query) -> Result<T, Error> {
        let row = self.row(query).await?;
        row.ok_or_else(|| clickhouse::error::Error::RowNotFound.into())
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

/// A statement that is acknowledged once every shard has what it inserts.
fn on_every_shard(statement: Query) -> Query {
    statement
        .with_setting("distributed_foreground_insert", "1")
        .with_setting("insert_deduplicate", "0")
        // A shard would insert what it selects itself.
        .with_setting("parallel_distributed_insert_select", "0")
}

async fn first_rows<T: RowOwned + RowRead>(
    query: Query,
    bytes: fn(&T) -> usize,
    enough: usize,
) -> clickhouse::error::Result<Vec<T>> {
    let (mut rows, mut total) = (Vec::new(), 0);
    let mut cursor = query.fetch::<T>()?;
    while total < enough
        && let Some(row) = cursor.next().await?
    {
        total += bytes(&row);
        rows.push(row);
    }
    Ok(rows)
}
