//! Where ClickHouse is, and how long it may take.

use std::time::Duration;

use serde::Deserialize;

/// The section `clickhouse` of the configuration.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// ClickHouse's HTTP interface. Default `http://127.0.0.1:8123`.
    pub url: String,
    /// The database that holds the facts and rollups; `migrate` creates it. Default `rollcall`.
    pub database: String,
    /// The user. Default `default`.
    pub user: String,
    /// The password. Default empty.
    pub password: String,
    /// How long a query or a probe may take, in seconds. Default 30.
    pub query_timeout_secs: u64,
    /// How long the insert of a batch may take, in seconds. Default 60.
    pub insert_timeout_secs: u64,
    /// How long one statement that migrates, verifies or rebuilds may take, in seconds. Default 21,600 (6 hours).
    pub maintenance_timeout_secs: u64,
    /// How often users and conversations of periods that have ended are counted, in seconds. Default 30.
    pub observe_interval_secs: u64,
    /// How long after its end a period is counted at the earliest, in seconds; the clocks of ingestion may differ by twice as
    /// much. Default 60.
    pub observe_margin_secs: u64,
    /// The least number of conversations, and of days on which a user was active, that an organisation has where they are
    /// counted so. Default 10,000.
    pub observe_from: u64,
}

impl Settings {
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
            query_timeout_secs: 30,
            insert_timeout_secs: 60,
            maintenance_timeout_secs: 6 * 60 * 60,
            observe_interval_secs: 30,
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
