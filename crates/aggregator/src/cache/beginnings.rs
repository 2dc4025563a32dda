//! When the conversations of an organisation began: how many on each day, and which are the latest.
//!
//! Counts are of inserts, each of which is taken in once: what a conversation adds depends on whether it was counted
//! before. Where that cannot be told any more, ClickHouse counts them all anew.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::RangeInclusive,
};

use clickhouse::{Row, query::Query};
use serde::Deserialize;

use super::{Cache, parts::Parts};
use crate::{Error, Store};

/// How many of the latest conversations are held at least, if there are so many.
const LATEST: usize = 2_000;

/// Among so many rows they are looked for, as a conversation may have a row in each of several parts.
const LATEST_ROWS: u64 = 20_000;

/// More rows than there are.
const ALL_ROWS: u64 = 1 << 40;

/// So many rows of new parts are taken in one by one; of more, ClickHouse counts all.
const FEW_ROWS: u64 = 100_000;

/// So many rows may be read to take them in: what merges make known parts new to the statement would have all read.
const ROWS: usize = 200_000;

/// The beginnings of so many conversations are remembered from new parts, as merges mix those with newer ones.
const REMEMBERED: usize = 50_000;

const DAY_MILLIS: i64 = 86_400_000;

/// Tells how many conversations began on each day.
const BY_DAY: &str = include_str!("../../sql/conversations_by_day.sql");

/// Leaves out what was inserted after parts were listed.
const LISTED: &str = include_str!("../../sql/listed_parts.sql");

/// The place of a conversation in a list: newest first, then by id.
type Place = (Reverse<i64>, u128);

/// How many conversations there are, and which are the latest.
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    /// What all below is made of; none before anything was read.
    parts: Option<Parts>,
    /// How many conversations began on each day, in days since 1970.
    days: BTreeMap<u16, u64>,
    latest: Latest,
    recent: Recent,
}

/// The latest conversations, without a gap.
#[derive(Debug, Default)]
struct Latest {
    places: BTreeSet<Place>,
    /// The place that they end with; none where they are all.
    end: Option<Place>,
}

/// When conversations began, by all parts that were taken in one by one.
#[derive(Debug, Default)]
struct Recent {
    /// The first insert that they know.
    since: i64,
    began_at: HashMap<u128, i64>,
}

/// How many conversations began on a day by the rows of a part, or how many such rows are too many.
#[derive(Debug, Row, Deserialize)]
struct OfDay {
    part: String,
    day: u16,
    conversations: i64,
}

#[derive(Debug, Row, Deserialize)]
struct OfPart {
    conversation_id: u128,
    part: String,
    began_at: i64,
}

#[derive(Debug, Row, Deserialize)]
struct Begun {
    conversation_id: u128,
    began_at: i64,
    parts: Vec<String>,
}

/// What became of parts that are new.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    TakenIn,
    /// ClickHouse saw other parts than were listed: merges were quicker.
    Moved,
    TooMany,
}

impl Beginnings {
    /// The rollup that tells when conversations began.
    pub(super) const TABLE: &'static str = "conversations";

    /// How many conversations began on these days.
    pub(crate) fn total(&self, days: RangeInclusive<u16>) -> u64 {
        self.days
            .range(days)
            .map(|(_, conversations)| conversations)
            .sum()
    }

    /// The first ids of the list of those that began on these days, or all where there are fewer; none where they are not
    /// held.
    pub(crate) fn top(&self, days: &RangeInclusive<u16>, count: usize) -> Option<Vec<u128>> {
        let after = |day: &u16| (i64::from(*day) + 1) * DAY_MILLIS - 1;
        let newest = (Reverse(after(days.end())), 0);
        let oldest = Reverse(i64::from(*days.start()) * DAY_MILLIS);
        let top: Vec<u128> = self
            .latest
            .places
            .range(newest..=(oldest, u128::MAX))
            .take(count)
            .map(|(_, id)| *id)
            .collect();
        let are_all = self.latest.end.is_none_or(|(end, _)| end > oldest);
        (top.len() == count || are_all).then_some(top)
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.parts.as_ref().map_or(0, Parts::bytes)
            + self.days.len() * 2 * size_of::<(u16, u64)>()
            + self.latest.places.len() * 2 * size_of::<Place>()
            + self.recent.began_at.capacity() * (size_of::<(u128, i64)>() + 1)
    }

    /// Takes in what these parts have besides. Whether that is done: merges may have been quicker, after which they have
    /// to be listed again.
    pub(super) async fn refresh(&mut self, store: &Store, org: &str, now: &Parts) -> Result<bool, Error> {
        let known = self.parts.as_ref().and_then(|before| {
            let known = before.known_among(now)?;
            let is_few = now.rows_besides(&known) <= FEW_ROWS;
            let is_told = before
                .first_mixed(now, &known)
                .is_none_or(|first| first >= self.recent.since);
            (is_few && is_told).then_some(known)
        });
        let outcome = match known {
            Some(known) if known.len() == now.len() => Outcome::TakenIn,
            Some(known) => self.take_in(store, org, now, &known).await?,
            None => Outcome::TooMany,
        };
        match outcome {
            Outcome::TakenIn => {}
            Outcome::Moved => return Ok(false),
            Outcome::TooMany => {
                let Some(all) = Self::all(store, org, now).await? else {
                    return Ok(false);
                };
                *self = all;
            }
        }
        // Nothing may be awaited between: what was taken in would be taken in again.
        self.parts = Some(now.clone());
        if self.latest.places.len() < LATEST / 2 && self.latest.end.is_some() {
            let Some(latest) = Latest::read(store, org, now, &self.days).await? else {
                return Ok(false);
            };
            self.latest = latest;
        }
        Ok(true)
    }

    /// All of them, as ClickHouse counts; none where it saw other parts than these.
    async fn all(store: &Store, org: &str, now: &Parts) -> Result<Option<Self>, Error> {
        let mut days = BTreeMap::<u16, i64>::new();
        let sql = BY_DAY
            .replace("${part}", "_part")
            .replace("${listed}", &format!("{LISTED} AND ${{same_parts}}"));
        let query = by_day(now.query(store, Self::TABLE, &sql, org)).param("last_block", now.last_block());
        let rows = store.run(query.fetch_all::<OfDay>()).await?;
        Cache::count(rows.len());
        for row in rows {
            if !row.part.is_empty() && !now.has(&row.part) {
                return Ok(None);
            }
            *days.entry(row.day).or_default() += row.conversations;
        }
        let days = days
            .into_iter()
            .filter_map(|(day, conversations)| Some((day, u64::try_from(conversations).ok()?)))
            .collect();
        let Some(latest) = Latest::read(store, org, now, &days).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            latest,
            days,
            recent: Recent {
                since: now.last_block() + 1,
                began_at: HashMap::new(),
            },
            parts: None,
        }))
    }

    /// Takes in the parts that are not known, all or nothing.
    async fn take_in(
        &mut self,
        store: &Store,
        org: &str,
        now: &Parts,
        known: &HashSet<String>,
    ) -> Result<Outcome, Error> {
        let sql = include_str!("../../sql/conversations_of_parts.sql").replace("${listed}", LISTED);
        let query = now
            .query(store, Self::TABLE, &sql, org)
            .with_setting("enable_shared_storage_snapshot_in_query", "1")
            .param("last_block", now.last_block())
            .param("known", known)
            .param("limit", ROWS);
        let rows = store.run(query.fetch_all::<OfPart>()).await?;
        Cache::count(rows.len());
        if rows.iter().any(|row| !now.has(&row.part)) {
            return Ok(Outcome::Moved);
        }
        if rows.len() == ROWS {
            return Ok(Outcome::TooMany);
        }
        let mut before = HashMap::<u128, i64>::new();
        let mut besides = HashMap::<u128, i64>::new();
        for row in rows {
            let of = if known.contains(&row.part) {
                &mut before
            } else {
                &mut besides
            };
            let began_at = of.entry(row.conversation_id).or_insert(row.began_at);
            *began_at = row.began_at.min(*began_at);
        }
        if self.recent.began_at.len() + besides.len() > REMEMBERED {
            // Of the parts that are mixed now, these know no more than they are asked below.
            let recent = std::mem::take(&mut self.recent.began_at);
            for (id, began_at) in recent.into_iter().filter(|(id, _)| besides.contains_key(id)) {
                let before = before.entry(id).or_insert(began_at);
                *before = began_at.min(*before);
            }
            self.recent.since = now.last_block() + 1;
        }
        for (id, began_at) in besides {
            let recent = self.recent.began_at.get(&id).copied();
            let before = [before.get(&id).copied(), recent].into_iter().flatten().min();
            let began_at = before.map_or(began_at, |before| before.min(began_at));
            self.moves(id, before, began_at);
            self.recent.began_at.insert(id, began_at);
        }
        self.latest.trim();
        Ok(Outcome::TakenIn)
    }

    /// Notes that a conversation began then, and not when it was held to have.
    fn moves(&mut self, id: u128, before: Option<i64>, began_at: i64) {
        if let Some(before) = before {
            if before == began_at {
                return;
            }
            self.latest.places.remove(&(Reverse(before), id));
            if let Some(conversations) = self.days.get_mut(&day(before)) {
                *conversations = conversations.saturating_sub(1);
            }
        }
        *self.days.entry(day(began_at)).or_default() += 1;
        let place = (Reverse(began_at), id);
        if self.latest.end.is_none_or(|end| place <= end) {
            self.latest.places.insert(place);
        }
    }
}

impl Latest {
    /// The latest of all, of which so many began on each day; none where ClickHouse saw other parts than these.
    async fn read(
        store: &Store,
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
            // So many began since that day, unless one has turned out meanwhile to have begun before.
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
        store: &Store,
        org: &str,
        now: &Parts,
        since_day: u16,
        rows: u64,
    ) -> Result<Option<BTreeSet<Place>>, Error> {
        let sql = include_str!("../../sql/latest_begun.sql").replace("${listed}", LISTED);
        let query = now
            .query(store, Beginnings::TABLE, &sql, org)
            .with_setting("enable_shared_storage_snapshot_in_query", "1")
            .param("last_block", now.last_block())
            .param("since_day", since_day)
            .param("rows", rows)
            .param("limit", LATEST);
        let rows = store.run(query.fetch_all::<Begun>()).await?;
        Cache::count(rows.len());
        let are_listed = rows.iter().flat_map(|row| &row.parts).all(|part| now.has(part));
        let places = rows
            .into_iter()
            .map(|row| (Reverse(row.began_at), row.conversation_id));
        Ok(are_listed.then(|| places.collect()))
    }

    /// Lets go of the earliest where there are many more than are needed.
    fn trim(&mut self) {
        if self.places.len() <= 2 * LATEST {
            return;
        }
        if let Some(next) = self.places.iter().nth(LATEST).copied() {
            drop(self.places.split_off(&next));
            self.end = self.places.last().copied();
        }
    }
}

/// How many conversations of an organisation began on these days, as ClickHouse counts.
pub(crate) async fn count(store: &Store, org: &str, days: RangeInclusive<u16>) -> Result<u64, Error> {
    // To tell the parts takes longer than to count.
    let sql = BY_DAY.replace("${part}", "''").replace("${listed}", "true");
    let query = by_day(store.query(&sql, org));
    let rows = store.run(query.fetch_all::<OfDay>()).await?;
    let conversations: i64 = rows
        .iter()
        .filter(|row| days.contains(&row.day))
        .map(|row| row.conversations)
        .sum();
    Ok(u64::try_from(conversations).unwrap_or_default())
}

fn by_day(query: Query) -> Query {
    query
        // It reads its table several times, and all must see the same parts.
        .with_setting("enable_shared_storage_snapshot_in_query", "1")
        // Most may lie in several parts, where many merges are due: they are grouped side by side, in no hash table.
        .with_setting("optimize_aggregation_in_order", "1")
}

/// The day of an instant, in days since 1970, as the rollup has it.
fn day(millis: i64) -> u16 {
    u16::try_from(millis.div_euclid(DAY_MILLIS)).unwrap_or_default()
}
