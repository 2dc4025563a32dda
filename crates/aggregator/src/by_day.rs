//! How many conversations began on each day, as ClickHouse counts them.

use std::ops::RangeInclusive;

use clickhouse::Row;
use serde::Deserialize;

use crate::{Error, Store};

/// Tells it of all, or of some.
pub(crate) const BY_DAY: &str = include_str!("../sql/conversations_by_day.sql");

/// How many conversations began on a day, in days since 1970.
#[derive(Debug, Row, Deserialize)]
pub(crate) struct OfDay {
    pub(crate) day: u16,
    pub(crate) conversations: i64,
    /// How many parts were seen that were not to be.
    pub(crate) unlisted: u64,
}

impl Store {
    /// How many conversations of an organisation began on these days.
    pub(crate) async fn count_conversations(
        &self,
        org: &str,
        days: RangeInclusive<u16>,
    ) -> Result<u64, Error> {
        let sql = BY_DAY
            .replace("${among}", "true")
            .replace("${unlisted}", "toUInt64(0) AS unlisted");
        let by_day = self.query(&sql, org).fetch_all::<OfDay>();
        let by_day = self.run(by_day).await?;
        let of_range = by_day.iter().filter(|of| days.contains(&of.day));
        let conversations: i64 = of_range.map(|of| of.conversations).sum();
        Ok(u64::try_from(conversations).unwrap_or_default())
    }
}
