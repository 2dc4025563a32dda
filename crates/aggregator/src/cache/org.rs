//! What is held of an organisation, and how it is brought up to date.

use std::{
    collections::{HashMap, HashSet},
    mem,
    ops::Range,
    time::Instant,
};

use clickhouse::{Row, RowOwned, RowRead, query::Query};
use serde::Deserialize;

use super::{
    Cache, Held, Source, WHILE,
    parts::{PartLists, Parts},
    sets::{Activity, Users},
    window::{Reading, Window},
};
use crate::error::Error;

/// The rollup that tells when users registered.
const USERS: &str = "users";

/// How many rows are read before it is seen whether there is room for them.
const CHUNK: usize = 1 << 16;

/// A held window ends on a multiple of so many seconds, 28 days: as days pass, it need not be read anew each time.
const STRIDE: u32 = 28 * 86_400;

/// Of parts that are new, and of what was known mixed with it, so many rows are read in one go.
const MANY_ROWS: u64 = 1_000_000;

/// The sets that a question is answered from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) org: &'a str,
    /// The rollup of activity.
    pub(super) table: &'static str,
    /// Whom users were active with; empty: anybody.
    pub(super) mentor: &'a str,
    /// When users were active, in seconds; the end is excluded.
    pub(super) since: u32,
    pub(super) until: u32,
    /// Whether it matters when users registered.
    pub(super) registrations: bool,
}

/// What is held of one organisation.
#[derive(Debug, Default)]
pub(super) struct Org {
    pub(super) users: Users,
    registrations: Reading,
    activities: HashMap<Key, Window>,
    too_much: TooMuch,
    /// Of its slot in the cache.
    id: u64,
    /// What would be too much if what is being read takes too long.
    reading: Option<TooMuch>,
    /// Whether something has been read to its end, from where the next question goes on.
    has_progress: bool,
    /// When what is too much is tried again, after something took too much time.
    retry: Option<Instant>,
}

/// What was found too much to hold, or to read in time: ClickHouse counts it.
#[derive(Debug, Default, Clone)]
struct TooMuch {
    /// Windows of so many seconds, and longer ones, by their tables.
    windows: HashMap<&'static str, u32>,
    registrations: bool,
}

type Key = (&'static str, String);

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

impl Held<Wanted<'_>> for Org {
    async fn refresh(&mut self, store: &Source, wanted: &Wanted<'_>, question: u64) -> Result<bool, Error> {
        if self.is_fresh(wanted, question) {
            return Ok(true);
        }
        // One that was given up may have left them.
        self.reading = None;
        self.has_progress = false;
        if self.retry.is_some_and(|retry| Instant::now() >= retry) {
            (self.too_much, self.retry) = (TooMuch::default(), None);
        }
        let question = store.cache.last_question();
        let tables: &[_] = if wanted.registrations {
            &[wanted.table, USERS]
        } else {
            &[wanted.table]
        };
        let listing = PartLists::of(store, tables).await?;
        let reading = |table| Reading {
            parts: listing.parts(table),
            question,
        };
        let activity = reading(wanted.table);
        let registrations = wanted.registrations.then(|| reading(USERS));
        // No part may mean that none may be seen, which ClickHouse does not tell.
        let is_empty = |reading: &Reading| reading.parts.is_empty();
        if is_empty(&activity) || registrations.as_ref().is_some_and(is_empty) {
            return Ok(false);
        }
        if !self.read_activity(store, wanted, activity).await? {
            return Ok(false);
        }
        match registrations {
            Some(registrations) => self.read_registrations(store, wanted, registrations).await,
            None => Ok(true),
        }
    }

    fn give_up_in_time(&mut self, store: &Source, wanted: &Wanted<'_>) {
        if !self.has_progress
            && let Some(too_much) = self.reading.take()
        {
            self.too_much = too_much;
            self.retry = Some(Instant::now() + WHILE);
            self.activities.remove(&wanted.key());
        }
        self.fits(store, wanted);
    }
}

impl Org {
    /// Nothing yet, in the slot of that id.
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// The activity that is wanted, once it is held.
    pub(super) fn activity(&self, wanted: &Wanted<'_>) -> Option<&Activity> {
        let held = self.activities.get(&wanted.key());
        held.map(|held| &held.activity)
    }

    /// Notes that what was being read is too much.
    fn give_up(&mut self, store: &Source, org: &str) {
        if let Some(too_much) = self.reading.take() {
            self.too_much = too_much;
            self.forget(store, org);
        }
    }

    /// Whether all that a question needs was listed after it had come.
    fn is_fresh(&self, wanted: &Wanted<'_>, question: u64) -> bool {
        let held = self.activities.get(&wanted.key());
        held.is_some_and(|held| {
            held.reading.question >= question
                && held.span.start <= wanted.since
                && wanted.until <= held.span.end
        }) && (!wanted.registrations || self.registrations.question >= question)
    }

    async fn read_activity(
        &mut self,
        store: &Source,
        wanted: &Wanted<'_>,
        reading: Reading,
    ) -> Result<bool, Error> {
        let key = wanted.key();
        let held = self.activities.get(&key);
        let Some(window) = self.window(wanted, held.map(|held| &held.span)) else {
            return Ok(false);
        };
        // What has been read stays, unless it may be gone or is not wanted any more.
        let known = held
            .filter(|held| window.start <= held.span.start && held.span.end <= window.end)
            .and_then(|held| held.reading.parts.known_among(&reading.parts));
        let known = match known {
            Some(known) if !known.is_empty() && reading.parts.rows_besides(&known) <= MANY_ROWS => known,
            _ => {
                let nothing = Window::of(window.end..window.end);
                self.activities.insert(key.clone(), nothing);
                HashSet::new()
            }
        };
        if let Some(read) = self.activities.get(&key).map(|held| held.span.clone())
            && known.len() < reading.parts.len()
            && !read.is_empty()
            && !self
                .read_window(store, wanted, &reading.parts, &known, read)
                .await?
        {
            return Ok(false);
        }
        if let Some(held) = self.activities.get_mut(&key) {
            held.reading = Reading {
                parts: reading.parts.clone(),
                ..reading
            };
        }
        while let Some((stretch, read)) = self.activities.get(&key).and_then(|held| held.next(&window)) {
            if !self
                .read_window(store, wanted, &reading.parts, &HashSet::new(), stretch)
                .await?
            {
                return Ok(false);
            }
            self.has_progress = true;
            if let Some(held) = self.activities.get_mut(&key) {
                held.span = read;
            }
        }
        Ok(true)
    }

    /// Reads a window of what these parts have, but for those that are known. Whether there is room for it.
    async fn read_window(
        &mut self,
        store: &Source,
        wanted: &Wanted<'_>,
        parts: &Parts,
        known: &HashSet<String>,
        window: Range<u32>,
    ) -> Result<bool, Error> {
        let sql = include_str!("../../sql/cached_activity.sql").replace("${table}", wanted.table);
        let query = parts
            .query(store, wanted.table, &sql, wanted.org)
            .param("known", known)
            .param("mentor", wanted.mentor)
            .param("since", i64::from(window.start))
            .param("until", i64::from(window.end));
        let key = wanted.key();
        let mut too_much = self.too_much.clone();
        let held = self.activities.get(&key).map_or(&window, |held| &held.span);
        let length = held.end.max(window.end) - held.start.min(window.start);
        too_much.windows.insert(wanted.table, length);
        let learn = |org: &mut Self, rows: Vec<Active>| {
            if let Some(held) = org.activities.get_mut(&key) {
                for Active { period, user } in rows {
                    held.activity.learn(period, org.users.number(user));
                }
            }
        };
        self.read(store, wanted, query, learn, too_much).await
    }

    /// The window to hold: one that has all that was held before, if that is not too much. If it is, the later is held, and
    /// for the other there is none: they would be read by turns.
    fn window(&self, wanted: &Wanted<'_>, held: Option<&Range<u32>>) -> Option<Range<u32>> {
        let until = wanted.until.checked_next_multiple_of(STRIDE).unwrap_or(u32::MAX);
        let too_much = self.too_much.windows.get(wanted.table).copied();
        let fits = |window: &Range<u32>| too_much.is_none_or(|length| window.end - window.start < length);
        let wanted = wanted.since..until;
        let Some(held) = held else {
            return Some(wanted).filter(fits);
        };
        let both = wanted.start.min(held.start)..wanted.end.max(held.end);
        if both == *held || fits(&both) {
            return Some(both);
        }
        Some(wanted).filter(|wanted| wanted.end > held.end && fits(wanted))
    }

    async fn read_registrations(
        &mut self,
        store: &Source,
        wanted: &Wanted<'_>,
        reading: Reading,
    ) -> Result<bool, Error> {
        if self.too_much.registrations {
            return Ok(false);
        }
        let before = mem::take(&mut self.registrations);
        let known = before.parts.known_among(&reading.parts).unwrap_or_default();
        if known.is_empty() {
            self.users.unlearn();
        }
        if known.len() < reading.parts.len() {
            let sql = include_str!("../../sql/cached_users.sql");
            let query = reading
                .parts
                .query(store, USERS, sql, wanted.org)
                .param("known", &known);
            let too_much = TooMuch {
                registrations: true,
                ..self.too_much.clone()
            };
            let learn = |org: &mut Self, rows: Vec<Known>| {
                for row in rows {
                    org.users.learn(row.user, row.registered_at, row.first_message_at);
                }
            };
            if !self.read(store, wanted, query, learn, too_much).await? {
                return Ok(false);
            }
        }
        self.registrations = reading;
        Ok(true)
    }

    /// Reads rows, as far as there is room for what is learned from them. Whether there is room for all.
    async fn read<R: RowOwned + RowRead>(
        &mut self,
        store: &Source,
        wanted: &Wanted<'_>,
        query: Query,
        learn: impl Fn(&mut Self, Vec<R>),
        too_much: TooMuch,
    ) -> Result<bool, Error> {
        self.reading = Some(too_much);
        let mut rows = query.fetch::<R>()?;
        loop {
            let mut chunk = Vec::new();
            while chunk.len() < CHUNK
                && let Some(row) = rows.next().await?
            {
                chunk.push(row);
            }
            let is_last = chunk.len() < CHUNK;
            Cache::count(chunk.len());
            learn(self, chunk);
            if !self.fits(store, wanted) {
                self.give_up(store, wanted.org);
                return Ok(false);
            }
            if is_last {
                self.reading = None;
                return Ok(true);
            }
        }
    }

    /// Whether there is room for what is held, be it without what is not wanted now.
    fn fits(&mut self, store: &Source, wanted: &Wanted<'_>) -> bool {
        if store.cache.note(wanted.org, self.id, self.bytes()) {
            return true;
        }
        let key = wanted.key();
        self.activities.retain(|other, _| *other == key);
        store.cache.note(wanted.org, self.id, self.bytes())
    }

    /// Forgets everything but what is too much.
    fn forget(&mut self, store: &Source, org: &str) {
        *self = Self {
            too_much: mem::take(&mut self.too_much),
            retry: self.retry,
            ..Self::new(self.id)
        };
        store.cache.note(org, self.id, self.bytes());
    }

    fn bytes(&self) -> usize {
        let activities = self.activities.iter().map(|((_, mentor), held)| {
            size_of::<(Key, Window)>() + mentor.len() + held.reading.parts.bytes() + held.activity.bytes()
        });
        size_of::<Self>() + self.users.bytes() + self.registrations.parts.bytes() + activities.sum::<usize>()
    }
}

impl Wanted<'_> {
    fn key(&self) -> Key {
        (self.table, self.mentor.to_owned())
    }
}
