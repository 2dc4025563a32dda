//! Where ClickHouse is, and how long it may take.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::tls::authorities;

/// Settings of ClickHouse's that are Rollcall's to choose: an answer or an acknowledgement rests on each.
const RESERVED: [&str; 8] = [
    "async_insert",
    "database",
    "distributed_foreground_insert",
    "insert_deduplicate",
    "max_execution_time",
    "optimize_on_insert",
    "query",
    "skip_unavailable_shards",
];

/// The section `clickhouse` of the configuration.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// ClickHouse's HTTP interface, of one node or several, comma-separated: any that answers is asked. Default
    /// `http://127.0.0.1:8123`.
    pub url: String,
    /// The database that holds the facts and rollups; `migrate` creates it. Default `rollcall`.
    pub database: String,
    /// The user. Default `default`.
    pub user: String,
    /// The password. Default empty.
    pub password: String,
    /// The cluster of the servers' `remote_servers` whose shards hold the facts and rollups. Default none: one server does.
    pub cluster: Option<String>,
    /// Whether its shards have replicas: tables are `Replicated…` ones, by the macros `{shard}` and `{replica}`. Default no.
    pub replicated: bool,
    /// A file of certificates in PEM, of authorities that are trusted besides those of the system. Default none.
    pub ca_file: Option<PathBuf>,
    /// Further settings of ClickHouse, by their own names, for every statement: `insert_quorum`, … Default none.
    pub settings: BTreeMap<String, String>,
    /// How long a query or a probe may take, in seconds. Default 30.
    pub query_timeout_secs: u64,
    /// How long the insert of a batch may take, in seconds. Default 60.
    pub insert_timeout_secs: u64,
    /// How long one statement that migrates, verifies, rebuilds or exports messages may take, in seconds. Default 21,600 (6 hours).
    pub maintenance_timeout_secs: u64,
    /// How often users and conversations of periods that have ended are counted, in seconds. Default 30.
    pub observe_interval_secs: u64,
    /// How often what is to be erased is, in seconds. Default 60.
    pub erase_interval_secs: u64,
    /// How long after its end a period is counted at the earliest, in seconds; the clocks of ingestion may differ by twice as
    /// much. Default 60.
    pub observe_margin_secs: u64,
    /// The least number of conversations, and of days on which a user was active, that an organisation has where they are
    /// counted so. Default 10,000.
    pub observe_from: u64,
}

impl Settings {
    /// The nodes that are listed.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.url.split(',').map(str::trim)
    }

    /// Checks what types alone cannot. That the URLs are some is for the caller to check.
    ///
    /// # Errors
    /// One line that names the setting at fault.
    pub fn validate(&self) -> Result<(), String> {
        if let Some(ca_file) = &self.ca_file {
            authorities(ca_file).map_err(|error| format!("clickhouse.ca_file: {error}"))?;
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        if self.cluster.as_deref().is_some_and(|name| !is_name(name)) {
            return Err("clickhouse.cluster: must be a name of [A-Za-z0-9_.-]".to_owned());
        }
        if self.replicated && self.cluster.is_none() {
            return Err("clickhouse.replicated: needs clickhouse.cluster".to_owned());
        }
        match self
            .settings
            .keys()
            .find(|name| RESERVED.contains(&name.as_str()))
        {
            Some(name) => Err(format!("clickhouse.settings.{name}: Rollcall sets it itself")),
            None => Ok(()),
        }
    }

    /// The table by which the rows of another are sent to their shards and read from all of them; on one server, that table
    /// itself.
    pub fn spread_over_shards(&self, table: &str) -> String {
        match self.cluster {
            Some(_) => format!("{table}_all"),
            None => table.to_owned(),
        }
    }

    /// A statement whose parts `cluster('rollcall', view(…))` are what each shard computes from tables of its own.
    pub(crate) fn of_shards(&self, sql: &str) -> String {
        /// No literal holds it: a quote within one has a backslash before it.
        const EACH: &str = "cluster('rollcall', view(";
        match &self.cluster {
            Some(cluster) => sql.replace(EACH, &format!("cluster('{cluster}', view(")),
            None => sql.replace(EACH, "(("),
        }
    }

    pub(crate) const fn query_timeout(&self) -> Duration {
        Duration::from_secs(self.query_timeout_secs)
    }

    pub(crate) const fn insert_timeout(&self) -> Duration {
        Duration::from_secs(self.insert_timeout_secs)
    }

    pub(crate) const fn maintenance_timeout(&self) -> Duration {
        Duration::from_secs(self.maintenance_timeout_secs)
    }

    pub(crate) const fn observe_interval(&self) -> Duration {
        Duration::from_secs(self.observe_interval_secs)
    }

    pub(crate) const fn erase_interval(&self) -> Duration {
        Duration::from_secs(self.erase_interval_secs)
    }

    /// In seconds.
    pub(crate) fn observe_margin(&self) -> i64 {
        i64::try_from(self.observe_margin_secs).unwrap_or(i64::MAX)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8123".to_owned(),
            database: "rollcall".to_owned(),
            user: "default".to_owned(),
            password: String::new(),
            cluster: None,
            replicated: false,
            ca_file: None,
            settings: BTreeMap::new(),
            query_timeout_secs: 30,
            insert_timeout_secs: 60,
            maintenance_timeout_secs: 6 * 60 * 60,
            observe_interval_secs: 30,
            erase_interval_secs: 60,
            observe_margin_secs: 60,
            observe_from: 10_000,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("database", &self.database)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
