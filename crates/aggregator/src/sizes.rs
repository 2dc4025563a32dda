//! What each shard holds: ClickHouse's own tables about its parts and disks.
//!
//! A shard that is away is left out here, and only here, as nothing is answered from it: whoever asks sees which are.

use std::collections::BTreeMap;

use clickhouse::{Row, RowOwned, RowRead, query::Query};
use events::Timestamp;
use serde::Deserialize;

use crate::{
    error::Error, layout::kept_tables, observed::OBSERVED_TABLE, observed_users::OBSERVED_USERS_TABLE,
    rollup::rollup_tables, store::Store,
};

/// The tables of facts.
const FACTS: [&str; 3] = ["messages", "annotations", "registrations"];

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    /// What was said, as it was said.
    Facts,
    /// What questions are answered from.
    Rollup,
    /// Counts of periods that have ended.
    Observed,
    /// All else that is in the database.
    Other,
}

/// What is stored of a table, or of several: in parts, whose rows may be there several times until they are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// The number of rows.
    pub rows: u64,
    /// How much of the disk they take, in bytes.
    pub bytes: u64,
    /// The number of active parts.
    pub parts: u64,
}

/// A table, shard by shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: TableKind,
    /// What each shard that has answered stores of it, by the number of the shard.
    pub shards: BTreeMap<u32, Size>,
}

/// The disks of a shard that parts of ours lie on, together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskSpace {
    /// How much is free, in bytes; none where there is no limit, as of a bucket.
    pub free: Option<u64>,
    /// How much there is, in bytes; none likewise.
    pub total: Option<u64>,
}

/// How much has come to each shard: on how many days its conversations had messages, summed over all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growth {
    /// How many days have ended since that of the earliest message, that day included.
    pub history_days: u64,
    /// By the number of the shard.
    pub shards: BTreeMap<u32, ActiveDays>,
}

/// The sum over the conversations of a shard of the days on which they had messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActiveDays {
    /// Of all days.
    pub ever: u64,
    /// Of the latest days that have ended, as many as [`Growth::DAYS`].
    pub recent: u64,
}

impl Size {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            parts: self.parts + other.parts,
        }
    }
}

impl TableSize {
    /// What all shards that have answered store of it.
    pub fn total(&self) -> Size {
        self.shards.values().copied().fold(Size::default(), Size::and)
    }
}

impl Growth {
    /// The number of days that it is taken from.
    pub const DAYS: u64 = 7;

    /// By how many bytes a shard that stores so many grows in a day: the latest days have as large a share of its bytes as of the
    /// days on which its conversations had messages. None where there is too little history.
    pub fn bytes_per_day(&self, shard: u32, bytes: u64) -> Option<u64> {
        if self.history_days < Self::DAYS {
            return None;
        }
        let ActiveDays { ever, recent } = self.shards.get(&shard).copied().unwrap_or_default();
        let of_recent = u128::from(bytes) * u128::from(recent);
        let grown = of_recent.checked_div(u128::from(ever)).unwrap_or_default() / u128::from(Self::DAYS);
        Some(u64::try_from(grown).unwrap_or(u64::MAX))
    }
}

#[derive(Debug, Row, Deserialize)]
struct VersionRow {
    shard: u32,
    version: String,
}

#[derive(Debug, Row, Deserialize)]
struct SizeRow {
    shard: u32,
    name: String,
    rows: u64,
    bytes: u64,
    parts: u64,
}

#[derive(Debug, Row, Deserialize)]
struct DiskRow {
    shard: u32,
    free: u64,
    total: u64,
}

#[derive(Debug, Row, Deserialize)]
struct GrowthRow {
    shard: u32,
    ever: u64,
    recent: u64,
    /// Since 1970; the latest that there can be where there is none.
    first_day: u16,
}

impl Store {
    /// The version of ClickHouse on each shard, by its number; none where the shard is away. One server is shard 1.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn shard_versions(&self) -> Result<BTreeMap<u32, Option<String>>, Error> {
        let mut versions = BTreeMap::new();
        if let Some(cluster) = &self.clickhouse.settings.cluster {
            let server = self.clickhouse.of_server();
            let numbers = server
                .question(include_str!("../sql/shard_numbers.sql"))
                .param("cluster", cluster);
            let numbers: Vec<u32> = server.rows(numbers).await?;
            versions.extend(numbers.into_iter().map(|number| (number, None)));
        }
        let rows = self.of_each_shard::<VersionRow>(include_str!("../sql/shard_versions.sql"), |query| query);
        for VersionRow { shard, version } in rows.await? {
            versions.insert(shard, Some(version));
        }
        Ok(versions)
    }

    /// What is stored of each table of the database: of those that the schema has, also where that is nothing.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>, Error> {
        let rows = self.of_each_shard::<SizeRow>(include_str!("../sql/table_sizes.sql"), |query| query);
        let rows = rows.await?;
        let schema = kept_tables().map(|table| (table.to_owned(), BTreeMap::new()));
        let mut tables: BTreeMap<String, BTreeMap<u32, Size>> = schema.collect();
        for SizeRow {
            shard,
            name,
            rows,
            bytes,
            parts,
        } in rows
        {
            let size = Size { rows, bytes, parts };
            tables.entry(name).or_default().insert(shard, size);
        }
        let tables = tables.into_iter().map(|(name, shards)| TableSize {
            kind: kind_of(&name),
            name,
            shards,
        });
        Ok(tables.collect())
    }

    /// How much room each shard has, by its number.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn disks(&self) -> Result<BTreeMap<u32, DiskSpace>, Error> {
        let rows = self.of_each_shard::<DiskRow>(include_str!("../sql/disks.sql"), |query| query);
        let mut shards = BTreeMap::new();
        for DiskRow { shard, free, total } in rows.await? {
            let limited = |bytes: u64| (bytes < u64::MAX).then_some(bytes);
            let none_yet = DiskSpace {
                free: Some(0),
                total: Some(0),
            };
            let space: &mut DiskSpace = shards.entry(shard).or_insert(none_yet);
            let add = |sum: Option<u64>, bytes| sum?.checked_add(limited(bytes)?);
            space.free = add(space.free, free);
            space.total = add(space.total, total);
        }
        Ok(shards)
    }

    /// How much has come to each shard by then.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn growth(&self, now: Timestamp) -> Result<Growth, Error> {
        let until = u16::try_from(now.day().number()).unwrap_or_default();
        let since = u64::from(until).saturating_sub(Growth::DAYS);
        let rows = self.of_each_shard::<GrowthRow>(include_str!("../sql/growth.sql"), |query| {
            query.param("since", since).param("until", until)
        });
        let mut growth = Growth::default();
        for row in rows.await? {
            let history_days = u64::from(until.saturating_sub(row.first_day));
            growth.history_days = growth.history_days.max(history_days);
            let GrowthRow { ever, recent, .. } = row;
            growth.shards.insert(row.shard, ActiveDays { ever, recent });
        }
        Ok(growth)
    }

    /// The rows of a statement that each shard answers which is there.
    async fn of_each_shard<T: RowOwned + RowRead>(
        &self,
        sql: &str,
        with: impl Fn(Query) -> Query,
    ) -> Result<Vec<T>, Error> {
        let number = match self.clickhouse.settings.cluster {
            Some(_) => "shardNum()",
            None => "toUInt32(1)",
        };
        let server = self.clickhouse.of_server();
        let question = with(server.question(&sql.replace("${shard}", number)));
        server
            .rows(question.with_setting("skip_unavailable_shards", "1"))
            .await
    }
}

fn kind_of(table: &str) -> TableKind {
    if FACTS.contains(&table) {
        TableKind::Facts
    } else if rollup_tables().contains(&table) {
        TableKind::Rollup
    } else if [OBSERVED_TABLE, OBSERVED_USERS_TABLE].contains(&table) {
        TableKind::Observed
    } else {
        TableKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_grows_by_the_share_of_its_bytes_that_the_latest_days_have() {
        for (ever, recent, history_days, bytes, expected) in [
            (1_000, 70, 100, 5_000_000, Some(50_000)),
            (1_000, 0, 100, 5_000_000, Some(0)),
            (70, 70, 7, u64::MAX, Some(u64::MAX / 7)),
            (70, 70, 6, 5_000_000, None),
            (0, 0, 100, 5_000_000, Some(0)),
        ] {
            let growth = Growth {
                history_days,
                shards: [(2, ActiveDays { ever, recent })].into(),
            };
            assert_eq!(growth.bytes_per_day(2, bytes), expected, "{growth:?}");
            // One that has no conversation yet.
            assert_eq!(growth.bytes_per_day(1, bytes), expected.map(|_| 0), "{growth:?}");
        }
    }

    #[test]
    fn every_rollup_and_what_is_observed_is_named_as_such() {
        let of_kind = |kind| kept_tables().filter(|table| kind_of(table) == kind).count();
        assert_eq!(of_kind(TableKind::Facts), FACTS.len());
        assert_eq!(of_kind(TableKind::Rollup), rollup_tables().len());
        assert_eq!(of_kind(TableKind::Observed), 2);
        assert_eq!(kind_of("active_daily_rebuild"), TableKind::Other);
    }
}
