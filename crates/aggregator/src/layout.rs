//! Where rows lie in a cluster.
//!
//! Each shard has all tables, with rows of its own. What is about a conversation is on one shard, and what is about a user on
//! one, so that each set is whole where it is counted, and an answer is the sum of the shards'. What a batch adds about users is
//! therefore brought apart from its messages, which are where their conversations are. `Distributed` tables send rows to where
//! they belong.

use crate::{error::Error, settings::Settings, store::Store};

/// Whose rows are on one shard, as an expression of a table's columns.
const CONVERSATION: &str = "sipHash64(conversation_id)";
const USER: &str = "sipHash64(user)";
/// The same number, where the table has the name of the user and not yet its hash.
const NAMED_USER: &str = "sipHash64(reinterpretAsUInt128(sipHash128(user_id)))";

/// The tables that are spread over the shards, with what decides the shard of a row.
const TABLES: [(&str, &str); 25] = [
    ("messages", CONVERSATION),
    ("annotations", CONVERSATION),
    ("incoming_conversations", CONVERSATION),
    ("conversation_beginnings", CONVERSATION),
    ("conversations_by_day", CONVERSATION),
    ("conversation_topics", CONVERSATION),
    ("latest_annotations", CONVERSATION),
    ("registrations", NAMED_USER),
    ("incoming_users", NAMED_USER),
    ("incoming_activity", NAMED_USER),
    ("users", USER),
    ("active_hourly", USER),
    ("active_daily", USER),
    ("active_weekly", USER),
    ("entered_registrations", USER),
    ("erased_conversations", CONVERSATION),
    // What is read whole, wherever it is.
    ("changes", "sipHash64(org, since)"),
    ("observed_users", "sipHash64(org, mentor_id, period)"),
    ("observed_beginnings", "sipHash64(org, by, value, period)"),
    ("ingestion_progress", "sipHash64(run, latest)"),
    ("erasures", USER),
    ("erasure_keys", "sipHash64(k0, k1)"),
    ("erasure_requests", "sipHash64(org, user, conversation_id)"),
    ("api_keys", "sipHash64(hash)"),
    ("api_key_uses", "sipHash64(hash)"),
];

/// Where replicas of a shard find each other, and the name of each, by the servers' macros.
const REPLICA: &str = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'";

/// Engines that have a replicated form.
const REPLICATED: [&str; 3] = ["MergeTree", "ReplacingMergeTree", "AggregatingMergeTree"];

impl Settings {
    /// A statement that creates a table on a node, with replicas where these settings want them. What a node records of itself
    /// has none.
    pub(crate) fn on_node(&self, statement: &str) -> String {
        let mut statement = statement.to_owned();
        if self.replicated && !statement.contains("TABLE IF NOT EXISTS schema_versions") {
            for engine in REPLICATED {
                statement = statement.replace(
                    &format!("ENGINE = {engine}\n"),
                    &format!("ENGINE = Replicated{engine}({REPLICA})\n"),
                );
            }
        }
        statement
    }

    /// The statements that create the tables by which a node sends rows to where they belong, once it has its own; with
    /// `replace` anew, as the columns of its own may have changed. None without a cluster.
    pub(crate) fn create_distributed(&self, replace: bool) -> Vec<String> {
        let create = if replace {
            "CREATE OR REPLACE TABLE"
        } else {
            "CREATE TABLE IF NOT EXISTS"
        };
        let tables = TABLES
            .iter()
            .filter_map(|(table, key)| self.distributed(create, table, key));
        tables.collect()
    }

    /// The statement that creates such a table for another that has the rows of this one; none without a cluster.
    pub(crate) fn create_distributed_like(&self, table: &str, other: &str) -> Option<String> {
        self.distributed("CREATE TABLE", other, sharding_key(table)?)
    }

    fn distributed(&self, create: &str, table: &str, key: &str) -> Option<String> {
        let (cluster, database) = (self.cluster.as_ref()?, &self.database);
        Some(format!(
            "{create} {table}_all AS {table} ENGINE = Distributed('{cluster}', '{database}', '{table}', {key})"
        ))
    }
}

/// What decides the shard of a table's row, as an expression of its columns.
pub(crate) fn sharding_key(table: &str) -> Option<&'static str> {
    TABLES
        .iter()
        .find(|(name, _)| *name == table)
        .map(|(_, key)| *key)
}

/// The tables that are spread over the shards and keep what is inserted.
pub(crate) fn kept_tables() -> impl Iterator<Item = &'static str> {
    let tables = TABLES.iter().map(|(table, _)| *table);
    tables.filter(|table| !table.starts_with("incoming_"))
}

impl Store {
    /// Returns once each replica has what any of them had acknowledged: an observation must see all that was entered before.
    pub(crate) async fn await_replicas(&self) -> Result<(), Error> {
        if self.clickhouse.settings.replicated {
            for node in self.nodes() {
                for table in kept_tables() {
                    let sync = format!("SYSTEM SYNC REPLICA {table}");
                    let synced = node.store.clickhouse.change(&sync).await;
                    synced.map_err(|error| node.named(error))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_has_its_place_but_those_that_tell_of_a_node() {
        let schema = include_str!("../schema.sql");
        let created = schema
            .lines()
            .filter_map(|line| line.strip_prefix("CREATE TABLE "));
        let placed = TABLES.iter().map(|(table, _)| *table).chain([
            "schema_versions",
            "database_ids",
            "erasure_targets",
        ]);
        assert_eq!(placed.collect::<BTreeSet<_>>(), created.collect::<BTreeSet<_>>());
    }
}
