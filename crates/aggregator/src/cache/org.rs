//! What is held of an organisation, and how it is brought up to date.

use std::{collections::HashMap, ops::Range};

use clickhouse::{Row, query::Query};
use serde::Deserialize;

use super::{
    Cache,
    parts::{Listing, Parts},
    sets::{Activity, Users},
};
use crate::{Error, Store};

/// The rollup that tells when users registered.
const USERS: &str = "users";

/// What is held is measured each time so many rows have been read.
const MEASURED_EVERY: u64 = 1 << 16;

/// The sets that a question is answered from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) org: &'a str,
    pub(super) activity: Option<WantedActivity<'a>>,
    /// Whether it matters when users registered.
    pub(super) registrations: bool,
}

/// Who was active in a window, with a mentor or (empty) with any.
#[derive(Debug, Clone, Copy)]
pub(super) struct WantedActivity<'a> {
    pub(super) table: &'static str,
    pub(super) mentor: &'a str,
    /// In seconds; the end is excluded.
    pub(super) since: u32,
    pub(super) until: u32,
}

/// What is held of one organisation.
#[derive(Debug, Default)]
pub(super) struct Org {
    pub(super) users: Users,
    registrations: Reading,
    activities: HashMap<Key, Held>,
    /// How long the windows are, in seconds, that were found too much to hold or to read in time.
    unfit: Option<u32>,
}

type Key = (&'static str, String);

/// How far a table has been read.
#[derive(Debug, Default)]
struct Reading {
    parts: Parts,
    /// The last question that had come when the parts were listed: for it and those before, nothing newer need be read.
    question: u64,
}

#[derive(Debug)]
struct Held {
    activity: Activity,
    window: Range<u32>,
    reading: Reading,
}

#[derive(Debug, Row, Deserialize)]
struct Active {
    period: u32,
    user: u128,
}

#[derive(Debug, Row, Deserialize)]
struct Known {
    user: u128,
    registered_at: i64,
    first_message_at: i64,
}

impl Org {
    /// The activity that was wanted when this was brought up to date last.
    pub(super) fn activity(&self, wanted: &WantedActivity<'_>) -> Option<&Activity> {
        let held = self.activities.get(&wanted.key());
        held.map(|held| &held.activity)
    }

    /// Reads what a question needs and is not held. Whether it is held then.
    pub(super) async fn refresh(
        &mut self,
        store: &Store,
        wanted: &Wanted<'_>,
        question: u64,
    ) -> Result<bool, Error> {
        if self.is_fresh(wanted, question) {
            return Ok(true);
        }
        let question = store.cache.last_question();
        let tables = [
            wanted.activity.map(|wanted| wanted.table),
            wanted.registrations.then_some(USERS),
        ];
        let tables: Vec<_> = tables.into_iter().flatten().collect();
        let listing = Listing::of(store, &tables).await?;
        // No part may mean that none may be seen, which ClickHouse does not tell.
        if tables.iter().any(|table| listing.parts(table).is_empty()) {
            return Ok(false);
        }
        if let Some(activity) = &wanted.activity {
            let reading = Reading {
                parts: listing.parts(activity.table),
                question,
            };
            if !self.read_activity(store, wanted.org, activity, reading).await? {
                return Ok(false);
            }
        }
        if wanted.registrations {
            let reading = Reading {
                parts: listing.parts(USERS),
                question,
            };
            return self.read_registrations(store, wanted.org, reading).await;
        }
        Ok(true)
    }

    /// Whether all that a question needs was listed after it had come.
    fn is_fresh(&self, wanted: &Wanted<'_>, question: u64) -> bool {
        let activity = wanted.activity.is_none_or(|wanted| {
            let held = self.activities.get(&wanted.key());
            held.is_some_and(|held| held.reading.question >= question && wanted.is_within(&held.window))
        });
        activity && (!wanted.registrations || self.registrations.question >= question)
    }

    async fn read_activity(
        &mut self,
        store: &Store,
        org: &str,
        wanted: &WantedActivity<'_>,
        reading: Reading,
    ) -> Result<bool, Error> {
        // It is not back before it is whole again: who stops waiting leaves nothing half read behind.
        let before = self.activities.remove(&wanted.key());
        let window = self.window(wanted, before.as_ref().map(|held| &held.window));
        let length = window.end - window.start;
        let known = before
            .as_ref()
            .filter(|held| held.window == window)
            .and_then(|held| held.reading.parts.known_among(&reading.parts));
        let (mut activity, known) = match (before, known) {
            (Some(held), Some(known)) => (held.activity, known),
            _ if self.unfit.is_some_and(|unfit| length >= unfit) => return Ok(false),
            _ => (Activity::default(), Vec::new()),
        };
        if known.len() < reading.parts.len() {
            let sql = include_str!("../../sql/cached_activity.sql").replace("${table}", wanted.table);
            let query = read(store, &sql, org, &reading.parts, &known)
                .param("mentor", wanted.mentor)
                .param("since", i64::from(window.start))
                .param("until", i64::from(window.end));
            // So it is called if this takes longer than the question may.
            let unfit = self.unfit.replace(length);
            let read = async {
                let (mut rows, mut count) = (query.fetch::<Active>()?, 0_u64);
                while let Some(Active { period, user }) = rows.next().await? {
                    activity.learn(period, self.users.number(user));
                    count += 1;
                    if count.is_multiple_of(MEASURED_EVERY) && !self.fits(store, org, &activity) {
                        return Ok(false);
                    }
                }
                Cache::count(count);
                Ok(self.fits(store, org, &activity))
            };
            let fits = store.run(read).await;
            if !matches!(fits, Ok(false)) {
                self.unfit = unfit;
            }
            if !fits? {
                self.forget(store, org);
                return Ok(false);
            }
        }
        let held = Held {
            activity,
            window,
            reading,
        };
        self.activities.insert(wanted.key(), held);
        Ok(true)
    }

    /// The window to hold: one that has all that was held before, if that is not too much.
    fn window(&self, wanted: &WantedActivity<'_>, held: Option<&Range<u32>>) -> Range<u32> {
        let wanted = wanted.since..wanted.until;
        let both = held.map(|held| wanted.start.min(held.start)..wanted.end.max(held.end));
        both.filter(|both| self.unfit.is_none_or(|unfit| both.end - both.start < unfit))
            .unwrap_or(wanted)
    }

    async fn read_registrations(
        &mut self,
        store: &Store,
        org: &str,
        reading: Reading,
    ) -> Result<bool, Error> {
        let known = self.registrations.parts.known_among(&reading.parts);
        let known = known.unwrap_or_else(|| {
            self.users.unlearn();
            Vec::new()
        });
        self.registrations = Reading::default();
        if known.len() < reading.parts.len() {
            let sql = include_str!("../../sql/cached_users.sql");
            let query = read(store, sql, org, &reading.parts, &known);
            let read = async {
                let mut rows = query.fetch::<Known>()?;
                while let Some(row) = rows.next().await? {
                    self.users
                        .learn(row.user, row.registered_at, row.first_message_at);
                }
                Ok(())
            };
            store.run(read).await?;
            if !store.cache.note(org, self.bytes()) {
                self.forget(store, org);
                return Ok(false);
            }
        }
        self.registrations = reading;
        Ok(true)
    }

    /// Whether there is room for what is being read, be it in the place of what else is held of the organisation.
    fn fits(&mut self, store: &Store, org: &str, read: &Activity) -> bool {
        if store.cache.note(org, self.bytes() + read.bytes()) {
            return true;
        }
        self.activities.clear();
        store.cache.note(org, self.bytes() + read.bytes())
    }

    /// Forgets everything but what is too much.
    fn forget(&mut self, store: &Store, org: &str) {
        *self = Self {
            unfit: self.unfit,
            ..Self::default()
        };
        store.cache.note(org, self.bytes());
    }

    fn bytes(&self) -> usize {
        let activities = self.activities.values().map(|held| held.activity.bytes());
        size_of::<Self>() + self.users.bytes() + activities.sum::<usize>()
    }
}

impl WantedActivity<'_> {
    fn key(&self) -> Key {
        (self.table, self.mentor.to_owned())
    }

    fn is_within(&self, window: &Range<u32>) -> bool {
        window.start <= self.since && self.until <= window.end
    }
}

/// A query for what parts have, but for those that are known.
fn read(store: &Store, sql: &str, org: &str, parts: &Parts, known: &[String]) -> Query {
    store
        .query(sql, org)
        .with_setting("max_parallel_replicas", "1")
        .param("server", parts.server())
        .param("known", known)
}
