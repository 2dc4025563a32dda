//! When the conversations of an organisation began: how many on each day, and which are the latest.
//!
//! Counts are of inserts, each of which is taken in once: what a conversation adds depends on whether it was counted
//! before. Where that cannot be told any more, ClickHouse counts them all anew, a stretch of ids after the other.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::RangeInclusive,
};

use clickhouse::Row;
use serde::Deserialize;

use super::{Cache, Source, latest::Latest, parts::Parts};
use crate::{
    conversations::{COUNTS_BY_DAY, DayCount},
    error::Error,
};

/// About so many rows are counted at once: what takes longer than a question waits goes on with the next.
const STRETCH_ROWS: u64 = 1_000_000;

/// The latest parts that have so many rows together are taken in one by one at first too, as merges soon mix them with newer
/// ones.
const YOUNG_ROWS: u64 = 20_000;

/// So many rows of new parts are taken in one by one; of more, ClickHouse counts all.
const FEW_ROWS: u64 = 100_000;

/// So many rows may be read to take them in: what merges make known parts new to the statement would have all read.
const ROWS: usize = 200_000;

/// The beginnings of so many conversations at most are remembered from new parts, as merges mix those with newer ones.
const REMEMBERED: usize = 50_000;

pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// How many conversations there are, and which are the latest.
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    /// What all below is made of; none before anything was read.
    parts: Option<Parts>,
    /// The ids that are not counted yet, in stretches, the next of which is the last.
    uncounted: Vec<RangeInclusive<u128>>,
    /// How many conversations began on each day, in days since 1970.
    days: BTreeMap<u16, u64>,
    /// None before they are read.
    latest: Option<Latest>,
    recent: Recent,
}

/// When conversations began, by all parts that were taken in one by one.
#[derive(Debug, Default)]
struct Recent {
    /// The first insert that they know.
    since: i64,
    began_at: HashMap<u128, i64>,
}

/// When a conversation began, by parts that are known or by others.
#[derive(Debug, Row, Deserialize)]
struct BegunByParts {
    conversation_id: u128,
    known: bool,
    began_at: i64,
    unlisted: u64,
}

/// What became of parts that are new.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    TakenIn,
    /// ClickHouse saw other parts than were listed: merges were quicker.
    Moved,
    TooMany,
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All is held.
    Done,
    /// Something was read, and parts have to be listed again for the rest.
    More,
    /// Nothing was: parts have to be listed again.
    Moved,
    /// Nothing is any more: so much has come or was merged that counting begins anew.
    Overtaken,
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
        self.latest.as_ref()?.top(days, count)
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.parts.as_ref().map_or(0, Parts::bytes)
            + self.uncounted.capacity() * size_of::<RangeInclusive<u128>>()
            + self.days.len() * 2 * size_of::<(u16, u64)>()
            + self.latest.as_ref().map_or(0, Latest::bytes)
            + self.recent.began_at.capacity() * (size_of::<(u128, i64)>() + 1)
    }

    /// Takes in what these parts have besides, and goes on with what is not read yet. It may be given up at any moment.
    pub(super) async fn refresh(
        &mut self,
        store: &Source,
        org: &str,
        now: &Parts,
    ) -> Result<Progress, Error> {
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
            Outcome::Moved => return Ok(Progress::Moved),
            Outcome::TooMany => {
                let has_begun = !self.uncounted.is_empty();
                let has_counted = has_begun && !self.days.is_empty();
                let young_rows = if has_begun { 0 } else { YOUNG_ROWS };
                *self = Self::uncounted(store, org, now, young_rows).await?;
                return Ok(if has_counted {
                    Progress::Overtaken
                } else {
                    Progress::Moved
                });
            }
        }
        // Nothing may be awaited between: what was taken in would be taken in again.
        self.parts = Some(now.clone());
        if let Some(stretch) = self.uncounted.last().cloned() {
            return self.count(store, org, now, &stretch).await;
        }
        if self.latest.as_ref().is_some_and(Latest::are_enough) {
            return Ok(Progress::Done);
        }
        self.latest = Latest::read(store, org, now, &self.days).await?;
        Ok(match self.latest {
            Some(_) => Progress::Done,
            None => Progress::Moved,
        })
    }

    /// Nothing yet of what these parts have, the latest of which are still to be taken in.
    async fn uncounted(store: &Source, org: &str, now: &Parts, young_rows: u64) -> Result<Self, Error> {
        let rows = store.query(include_str!("../../sql/conversation_rows.sql"), org);
        let earlier = now.without_latest(young_rows);
        Ok(Self {
            uncounted: stretches(store.run(rows.fetch_one()).await?),
            recent: Recent {
                since: earlier.last_block() + 1,
                began_at: HashMap::new(),
            },
            parts: Some(earlier),
            ..Self::default()
        })
    }

    /// Has ClickHouse count the next stretch of ids.
    async fn count(
        &mut self,
        store: &Source,
        org: &str,
        now: &Parts,
        ids: &RangeInclusive<u128>,
    ) -> Result<Progress, Error> {
        let among =
            "${listed} AND ${same_parts} AND conversation_id BETWEEN {first:UInt128} AND {last:UInt128}";
        let query = now
            .query_listed(store, Self::TABLE, &COUNTS_BY_DAY.replace("${among}", among), org)
            .param("first", ids.start())
            .param("last", ids.end());
        let rows = store.run(query.fetch_all::<DayCount>()).await?;
        Cache::count(rows.len());
        if rows.iter().any(|row| row.unlisted > 0) {
            return Ok(Progress::Moved);
        }
        for row in rows {
            let conversations = u64::try_from(row.conversations).unwrap_or_default();
            *self.days.entry(row.day).or_default() += conversations;
        }
        self.uncounted.pop();
        Ok(Progress::More)
    }

    /// Takes in the parts that are not known, all or nothing.
    async fn take_in(
        &mut self,
        store: &Source,
        org: &str,
        now: &Parts,
        known: &HashSet<String>,
    ) -> Result<Outcome, Error> {
        let sql = include_str!("../../sql/conversations_of_parts.sql");
        let query = now
            .query_listed(store, Self::TABLE, sql, org)
            .param("known", known)
            .param("limit", ROWS);
        let rows = store.run(query.fetch_all::<BegunByParts>()).await?;
        Cache::count(rows.len());
        if rows.iter().any(|row| row.unlisted > 0) {
            return Ok(Outcome::Moved);
        }
        if rows.len() == ROWS {
            return Ok(Outcome::TooMany);
        }
        let mut before = HashMap::<u128, i64>::new();
        let mut besides = HashMap::<u128, i64>::new();
        for row in rows {
            let of = if row.known { &mut before } else { &mut besides };
            of.insert(row.conversation_id, row.began_at);
        }
        if self.recent.began_at.len() + besides.len() > REMEMBERED {
            // Of the parts that are mixed now, these know no more than they are asked below.
            let recent = std::mem::take(&mut self.recent.began_at);
            for (id, began_at) in recent.into_iter().filter(|(id, _)| besides.contains_key(id)) {
                let before = before.entry(id).or_insert(began_at);
                *before = began_at.min(*before);
            }
            // What comes after those that were known is noted below.
            self.recent.since = self.parts.as_ref().map_or(0, Parts::last_block) + 1;
        }
        for (id, began_at) in besides {
            let recent = self.recent.began_at.get(&id).copied();
            let before = [before.get(&id).copied(), recent].into_iter().flatten().min();
            let began_at = before.map_or(began_at, |before| before.min(began_at));
            self.moves(id, before, began_at);
            self.recent.began_at.insert(id, began_at);
        }
        if let Some(latest) = &mut self.latest {
            latest.trim();
        }
        Ok(Outcome::TakenIn)
    }

    /// Notes that a conversation began then, and not when it was held to have.
    fn moves(&mut self, id: u128, before: Option<i64>, began_at: i64) {
        let is_uncounted = self.uncounted.last().is_some_and(|next| id >= *next.start());
        if before == Some(began_at) || is_uncounted {
            return;
        }
        if let Some(before) = before
            && let Some(conversations) = self.days.get_mut(&day(before))
        {
            *conversations = conversations.saturating_sub(1);
        }
        *self.days.entry(day(began_at)).or_default() += 1;
        if let Some(latest) = &mut self.latest {
            latest.moves(id, before, began_at);
        }
    }
}

/// All ids, in stretches of about as many rows if they are random, as those of most are; the first is the last.
fn stretches(rows: u64) -> Vec<RangeInclusive<u128>> {
    let stretches = u128::from(rows.div_ceil(STRETCH_ROWS).max(1));
    let length = u128::MAX / stretches;
    let mut stretches: Vec<_> = (0..stretches)
        .map(|number| number * length..=(number + 1) * length - 1)
        .collect();
    if let Some(last) = stretches.last_mut() {
        *last = *last.start()..=u128::MAX;
    }
    stretches.reverse();
    stretches
}

/// The day of an instant, in days since 1970, as the rollup has it.
pub(super) fn day(millis: i64) -> u16 {
    u16::try_from(millis.div_euclid(DAY_MILLIS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_leave_no_id_out() {
        for (rows, count) in [
            (0, 1),
            (1, 1),
            (STRETCH_ROWS, 1),
            (STRETCH_ROWS + 1, 2),
            (110_000_000, 110),
        ] {
            let mut stretches = stretches(rows);
            assert_eq!(stretches.len(), count);
            let mut next = Some(0);
            while let Some(stretch) = stretches.pop() {
                assert_eq!(Some(*stretch.start()), next);
                next = stretch.end().checked_add(1);
            }
            assert_eq!(next, None);
        }
    }
}
