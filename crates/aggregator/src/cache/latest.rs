//! The latest conversations of an organisation.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use clickhouse::Row;
use serde::Deserialize;

use super::{
    Cache, Source,
    beginnings::{Beginnings, DAY_MILLIS, day},
    parts::Parts,
};
use crate::{conversations::TOP, error::Error};

/// So many of the latest conversations are read, if there are as many, and again once half of them have turned out to be
/// earlier: the top of a list is always held.
const LATEST: usize = 2 * TOP;

/// Among so many rows they are looked for, as a conversation may have a row in each of several parts.
const LATEST_ROWS: u64 = 20_000;

/// More rows than there are.
const ALL_ROWS: u64 = 1 << 40;

/// The place of a conversation in a list: newest first, then by id.
type Place = (Reverse<i64>, u128);

/// The latest conversations, without a gap.
#[derive(Debug)]
pub(super) struct Latest {
    places: BTreeSet<Place>,
    /// The place that they end with; none where they are all.
    end: Option<Place>,
}

#[derive(Debug, Row, Deserialize)]
struct Begun {
    conversation_id: u128,
    began_at: i64,
    unlisted: u64,
}

impl Latest {
    /// The latest of all, of which so many began on each day; none where ClickHouse saw other parts than these.
    pub(super) async fn read(
        store: &Source,
        org: &str,
        now: &Parts,
        days: &BTreeMap<u16, u64>,
    ) -> Result<Option<Self>, Error> {
        let mut begun = 0;
        let since_day = days.iter().rev().find_map(|(day, conversations)| {
            begun += conversations;
            usize::try_from(begun)
                .is_ok_and(|begun| begun >= LATEST)
                .then_some(*day)
        });
        let Some(since_day) = since_day else {
            let places = Self::among(store, org, now, 0, ALL_ROWS).await?;
            return Ok(places.map(|places| Self { places, end: None }));
        };
        for rows in [LATEST_ROWS, ALL_ROWS] {
            let Some(places) = Self::among(store, org, now, since_day, rows).await? else {
                return Ok(None);
            };
            // So many began since that day, if not among so many rows.
            let end = places.last().copied();
            let is_since = |(Reverse(began_at), _): Place| day(began_at) >= since_day;
            if places.len() == LATEST && end.is_some_and(is_since) {
                return Ok(Some(Self { places, end }));
            }
        }
        Ok(None)
    }

    /// The latest by that many rows, the latest of that day and those after; none where ClickHouse saw other parts than these.
    async fn among(
        store: &Source,
        org: &str,
        now: &Parts,
        since_day: u16,
        rows: u64,
    ) -> Result<Option<BTreeSet<Place>>, Error> {
        let sql = include_str!("../../sql/latest_begun.sql");
        let query = now
            .query_listed(store, Beginnings::TABLE, sql, org)
            .param("since_day", since_day)
            .param("rows", rows)
            .param("limit", LATEST);
        let rows = store.run(query.fetch_all::<Begun>()).await?;
        Cache::count(rows.len());
        let are_listed = rows.iter().all(|row| row.unlisted == 0);
        let places = rows
            .into_iter()
            .map(|row| (Reverse(row.began_at), row.conversation_id));
        Ok(are_listed.then(|| places.collect()))
    }

    /// Whether they are all, or enough for the top of any list.
    pub(super) fn are_enough(&self) -> bool {
        self.end.is_none() || self.places.len() >= LATEST / 2
    }

    /// The first ids of the list of those that began on these days, or all where there are fewer; none where they are not
    /// held.
    pub(super) fn top(&self, days: &RangeInclusive<u16>, count: usize) -> Option<Vec<u128>> {
        let after = |day: &u16| (i64::from(*day) + 1) * DAY_MILLIS - 1;
        let newest = (Reverse(after(days.end())), 0);
        let oldest = Reverse(i64::from(*days.start()) * DAY_MILLIS);
        let top: Vec<u128> = self
            .places
            .range(newest..=(oldest, u128::MAX))
            .take(count)
            .map(|(_, id)| *id)
            .collect();
        let are_all = self.end.is_none_or(|(end, _)| end > oldest);
        (top.len() == count || are_all).then_some(top)
    }

    /// Notes that a conversation began then, and not when it was held to have.
    pub(super) fn moves(&mut self, id: u128, before: Option<i64>, began_at: i64) {
        if let Some(before) = before {
            self.places.remove(&(Reverse(before), id));
        }
        let place = (Reverse(began_at), id);
        if self.end.is_none_or(|end| place <= end) {
            self.places.insert(place);
        }
    }

    /// Lets go of the earliest where there are many more than are needed.
    pub(super) fn trim(&mut self) {
        if self.places.len() <= 2 * LATEST {
            return;
        }
        if let Some(next) = self.places.iter().nth(LATEST).copied() {
            drop(self.places.split_off(&next));
            self.end = self.places.last().copied();
        }
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.places.len() * 2 * size_of::<Place>()
    }
}
