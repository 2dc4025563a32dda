//! Verification: a rollup compared with its facts.
//!
//! A row of a rollup is a function of the facts, by the `SELECT` of its views. Both sides are folded, each row is
//! hashed, and a row whose hash only one side has is a stray. A row that is being written at that time is a stray too,
//! for a moment; so only one that is the same stray after a pause is drift.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use clickhouse::Row;
use serde::Deserialize;

use crate::{
    connection::Connection,
    error::Error,
    layout::sharding_key,
    observed::OBSERVED_TABLE,
    observed_users::OBSERVED_USERS_TABLE,
    rollup::{rollup_tables, views_into},
    store::Store,
};

/// How often the sides are compared before a stray counts as drift.
const COMPARISONS: u32 = 3;
/// The time between two comparisons, in which an insert comes from the facts into the rollups.
const PAUSE: Duration = Duration::from_secs(2);
/// The maximum number of strays of a table that are compared: those with the least hashes, so always the same ones.
const MAX_STRAYS: usize = 100_000;
/// The maximum number of organisations that are named.
const MAX_ORGS: usize = 5;

/// The tables that can be verified and rebuilt: the rollups, one that is made from a finer one after it, and what was observed
/// of them.
pub fn verified_tables() -> Vec<&'static str> {
    let observed = [OBSERVED_TABLE, OBSERVED_USERS_TABLE];
    rollup_tables().into_iter().chain(observed).collect()
}

/// How a rollup differs from its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The rollup's table.
    pub table: &'static str,
    /// The number of rows that follow from the facts and are not there as they should be.
    pub missing: usize,
    /// The number of rows that are there and do not follow from the facts.
    pub unexpected: usize,
    /// Some of the organisations that the rows belong to.
    pub orgs: BTreeSet<String>,
    /// Whether more rows differ than were counted.
    pub more: bool,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let least = if self.more { "at least " } else { "" };
        let orgs: Vec<_> = self.orgs.iter().map(String::as_str).collect();
        write!(
            f,
            "{}: {least}{} rows are missing and {} should not be there, among others of the organisations {}",
            self.table,
            self.missing,
            self.unexpected,
            orgs.join(", ")
        )
    }
}

/// A row that only one side has.
#[derive(Debug, Row, Deserialize)]
struct Stray {
    row: u128,
    org: String,
    /// Whether it follows from the facts.
    expected: bool,
}

/// A column of a rollup.
#[derive(Debug, Row, Deserialize)]
struct Column {
    name: String,
    r#type: String,
    is_key: bool,
}

impl Column {
    /// The column folded over rows of its key, as a merge of the table's engine folds it.
    fn folded(&self) -> String {
        let name = &self.name;
        let function = self
            .r#type
            .strip_prefix("SimpleAggregateFunction(")
            .and_then(|rest| rest.split_once(','));
        match function {
            Some((function, _)) => format!("{function}(side.{name}) AS {name}"),
            None => format!("side.{name} AS {name}"),
        }
    }
}

impl Store {
    /// Compares a rollup with its facts; none means that they agree.
    ///
    /// Safe while events arrive. It reads all facts that the rollup is made from, so it takes as long as ClickHouse
    /// takes to group them.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn verify(&self, table: &'static str) -> Result<Option<Drift>, Error> {
        let mut strays = self.strays(table).await?;
        let more = strays.len() == MAX_STRAYS;
        for _ in 1..COMPARISONS {
            if strays.is_empty() {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
            let now = self.strays(table).await?;
            strays.retain(|stray, _| now.contains_key(stray));
        }
        let missing = strays.keys().filter(|(_, expected)| *expected).count();
        Ok((!strays.is_empty()).then(|| Drift {
            table,
            missing,
            unexpected: strays.len() - missing,
            more,
            orgs: strays
                .into_values()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .take(MAX_ORGS)
                .collect(),
        }))
    }

    /// The rows of a table that only one side has, with their organisations.
    async fn strays(&self, table: &str) -> Result<HashMap<(u128, bool), String>, Error> {
        if table == OBSERVED_TABLE {
            return self.observed_strays().await;
        }
        if table == OBSERVED_USERS_TABLE {
            return self.observed_users_strays().await;
        }
        let clickhouse = &self.clickhouse;
        let sql = clickhouse.strays_of(table).await?;
        let strays = clickhouse.maintenance(&sql).fetch_all::<Stray>();
        let strays = clickhouse
            .within(clickhouse.settings.maintenance_timeout(), strays)
            .await?;
        Ok(strays
            .into_iter()
            .map(|stray| ((stray.row, stray.expected), stray.org))
            .collect())
    }
}

impl Connection {
    /// An expression of the shard that a row of a table belongs on, and of the one that reads it.
    async fn shards_of_rows(&self, table: &str) -> Result<(String, &'static str), Error> {
        let (Some(cluster), Some(key)) = (&self.settings.cluster, sharding_key(table)) else {
            return Ok(("1".to_owned(), "1"));
        };
        let slots = self
            .question(include_str!("../sql/shard_slots.sql"))
            .param("cluster", cluster);
        let slots: Vec<String> = self
            .one::<Vec<u32>>(slots)
            .await?
            .iter()
            .map(u32::to_string)
            .collect();
        let due = format!("toUInt32([{}][{key} % {} + 1])", slots.join(","), slots.len());
        Ok((due, "shardNum()"))
    }

    /// The statement that finds the strays of a table.
    async fn strays_of(&self, table: &str) -> Result<String, Error> {
        let columns = self
            .client
            .query(include_str!("../sql/columns.sql"))
            .param("table", table);
        let columns = self.rows::<Column>(columns).await?;
        let list = |text: &dyn Fn(&Column) -> String| columns.iter().map(text).collect::<Vec<_>>().join(", ");
        // The types of the table: what a view selects is cast to them when it is inserted, too.
        let cast = list(&|Column { name, r#type, .. }| {
            format!("CAST(made.{name}, '{}') AS {name}", r#type.replace('\'', "\\'"))
        });
        let folded = list(&Column::folded);
        let keys: Vec<_> = columns
            .iter()
            .filter(|column| column.is_key)
            .map(|column| format!("side.{}", column.name))
            .collect();
        let keys = keys.join(", ");
        let expected: Vec<_> = views_into(table)
            .map(|view| format!("SELECT {cast} FROM ({}) AS made", view.select_from_facts()))
            .collect();
        let expected = expected.join("\nUNION ALL\n");
        // A row on another shard than its own is as good as none, and may be there twice.
        let (due, found) = self.shards_of_rows(table).await?;
        Ok(format!(
            "SELECT row, toString(any(org)) AS org, any(expected) AS expected
            FROM
            (
                SELECT reinterpretAsUInt128(sipHash128(*)) AS row, org, true AS expected
                FROM (SELECT {folded}, {due} AS shard FROM cluster('rollcall', view({expected})) AS side GROUP BY {keys})
                UNION ALL
                SELECT reinterpretAsUInt128(sipHash128(*)) AS row, org, false AS expected
                FROM cluster('rollcall', view(
                    SELECT {folded}, {found} AS shard FROM {{db:Identifier}}.{table} AS side GROUP BY {keys}
                ))
            )
            GROUP BY row
            HAVING count() = 1
            ORDER BY row
            LIMIT {MAX_STRAYS}"
        ))
    }
}
