//! What questions were answered from, held in memory.
//!
//! A set only grows, so what was read of it stays true; and a part of a table never changes, so what was read of it need
//! not be read again. Each question lists the parts that there are now, reads what the held sets have not seen, and
//! counts. Where anything that was read may be gone (a rebuilt rollup, a row deleted by hand), the sets are read anew. So
//! an answer from the cache is as fresh and as exact as one from ClickHouse.
//!
//! - `parts`: which parts have something new
//! - `column` and `sets`: users by number, and who was active when
//! - `window` and `org`: the sets that are held of an organisation, and how they are brought up to date
//! - `answers`: the counts

mod answers;
mod column;
mod org;
mod parts;
mod sets;
mod window;

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use tokio::time::timeout;
use tracing::warn;

use self::org::Org;
use crate::{connection::Connection, error::Error};

/// How much memory is taken by what is held, in bytes.
pub const CACHE_BYTES: &str = "rollcall_cache_bytes";

/// How many rows have been read into it.
pub const CACHE_ROWS_TOTAL: &str = "rollcall_cache_rows_total";

/// How long a question waits for another that reads of the same organisation before it has ClickHouse answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What took too much time is left to ClickHouse for so long before it is tried again.
const WHILE: Duration = Duration::from_secs(600);

/// What is held of an organisation, and what may be asked of it.
trait Held<Wanted> {
    /// Reads what a question needs and is not held. Whether it is held then.
    ///
    /// It may be given up at any moment. What is held then is not taken for whole.
    async fn refresh(&mut self, store: &Source, wanted: &Wanted, question: u64) -> Result<bool, Error>;

    /// Notes that reading took too long. Where some of it has been read to its end, the next question goes on with the rest.
    fn give_up_in_time(&mut self, store: &Source, wanted: &Wanted);
}

/// What is held, once it is as fresh as ClickHouse; none where it cannot be.
async fn fresh<'a, T, Wanted>(
    store: &Source,
    held: &'a tokio::sync::Mutex<T>,
    wanted: &Wanted,
    question: u64,
) -> Option<tokio::sync::MutexGuard<'a, T>>
where
    T: Held<Wanted>,
{
    let mut held = timeout(PATIENCE, held.lock()).await.ok()?;
    // The rest of the time is for ClickHouse to answer in, if this takes too long.
    let limit = store.settings.query_timeout() / 3;
    // In a box, as few questions have something to read.
    let reading = Box::pin(held.refresh(store, wanted, question));
    match timeout(limit, reading).await {
        Ok(Ok(true)) => Some(held),
        Ok(Ok(false)) => None,
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                "ClickHouse is asked for an answer: what it is made of cannot be read into memory"
            );
            None
        }
        Err(_elapsed) => {
            held.give_up_in_time(store, wanted);
            None
        }
    }
}

/// Where answers come from: a connection, and what is held of what was read over it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    connection: Connection,
    cache: Arc<Cache>,
}

impl Source {
    pub(crate) fn new(connection: Connection) -> Self {
        let cache = Arc::new(Cache::new(connection.settings.cache_bytes));
        Self { connection, cache }
    }
}

impl Deref for Source {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// What is held of all organisations, within a budget.
#[derive(Debug)]
struct Cache {
    /// How many bytes may be held.
    budget: usize,
    /// How many questions have come.
    questions: AtomicU64,
    slots: Mutex<HashMap<String, Slot>>,
}

/// The place of one organisation.
#[derive(Debug)]
struct Slot {
    org: Arc<tokio::sync::Mutex<Org>>,
    /// The question that it was made for.
    id: u64,
    bytes: usize,
    /// The question that asked for it last.
    asked: u64,
}

impl Cache {
    fn new(budget: usize) -> Self {
        describe_gauge!(
            CACHE_BYTES,
            Unit::Bytes,
            "memory of what is held of organisations to answer from"
        );
        describe_counter!(CACHE_ROWS_TOTAL, Unit::Count, "rows read into it");
        counter!(CACHE_ROWS_TOTAL).increment(0);
        Self {
            budget,
            questions: AtomicU64::new(0),
            slots: Mutex::default(),
        }
    }

    fn is_off(&self) -> bool {
        self.budget == 0
    }

    /// A number for a question that comes now, greater than that of any before.
    fn question(&self) -> u64 {
        self.questions.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of the question that came last.
    fn last_question(&self) -> u64 {
        self.questions.load(Ordering::SeqCst)
    }

    /// What is held of the organisation that a question asks about, in its slot.
    fn held(&self, name: &str, question: u64) -> Arc<tokio::sync::Mutex<Org>> {
        let mut slots = self.slots();
        let slot = slots.entry(name.to_owned()).or_insert_with(|| Slot {
            org: Arc::new(tokio::sync::Mutex::new(Org::new(question))),
            id: question,
            bytes: size_of::<Org>(),
            asked: 0,
        });
        slot.asked = question;
        Arc::clone(&slot.org)
    }

    /// Notes how many bytes an organisation takes now, which it has in the slot of that id. To make room, those
    /// that were asked about longest ago are forgotten. Whether there is room for this one: there is none where it was
    /// forgotten itself.
    fn note(&self, name: &str, id: u64, bytes: usize) -> bool {
        let mut slots = self.slots();
        match slots.get_mut(name) {
            Some(slot) if slot.id == id => slot.bytes = bytes,
            _ => return false,
        }
        let mut held: usize = slots.iter().map(|(name, slot)| slot.bytes(name)).sum();
        while held > self.budget {
            let others = slots.iter().filter(|(other, _)| *other != name);
            let Some((oldest, _)) = others.min_by_key(|(_, slot)| slot.asked) else {
                break;
            };
            let oldest = oldest.clone();
            held -= slots.remove(&oldest).map_or(0, |slot| slot.bytes(&oldest));
        }
        let kib = u32::try_from(held >> 10).unwrap_or(u32::MAX);
        gauge!(CACHE_BYTES).set(f64::from(kib) * 1024.0);
        held <= self.budget
    }

    /// Notes that rows were read.
    fn count(rows: usize) {
        counter!(CACHE_ROWS_TOTAL).increment(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn bytes(&self, name: &str) -> usize {
        size_of::<(String, Self)>() + name.len() + self.bytes
    }
}
