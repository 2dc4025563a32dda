//! The sets of users that questions were answered from, held in memory.
//!
//! A set only grows, so what was read of it stays true; and a part of a table never changes, so what was read of it need
//! not be read again. Each question lists the parts that there are now, reads what the held sets have not seen, and
//! counts. Where anything that was read may be gone (a rebuilt rollup, a row deleted by hand), the sets are read anew. So
//! an answer from the cache is as fresh and as exact as one from ClickHouse.
//!
//! - `sets`: users by number, and who was active when
//! - `parts`: which parts have something new
//! - `org`: what is held of an organisation, and how it is brought up to date
//! - `answers`: the counts

mod answers;
mod org;
mod parts;
mod sets;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use org::Org;

/// How much memory the held sets take, in bytes.
pub const CACHE_BYTES: &str = "rollcall_cache_bytes";

/// How many rows of rollups have been read into them.
pub const CACHE_ROWS_TOTAL: &str = "rollcall_cache_rows_total";

/// What is held of all organisations, within a budget.
#[derive(Debug)]
pub(crate) struct Cache {
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
    pub(crate) fn new(budget: usize) -> Self {
        describe_gauge!(
            CACHE_BYTES,
            Unit::Bytes,
            "memory of the sets of users that activity is counted from"
        );
        describe_counter!(
            CACHE_ROWS_TOTAL,
            Unit::Count,
            "rows of rollups read into these sets"
        );
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

    /// What is held of the organisation that a question asks about.
    fn org(&self, name: &str, question: u64) -> Arc<tokio::sync::Mutex<Org>> {
        let mut slots = self.slots();
        let slot = slots.entry(name.to_owned()).or_insert_with(|| Slot {
            org: Arc::new(tokio::sync::Mutex::new(Org::new(question))),
            id: question,
            bytes: size_of::<(String, Slot, Org)>() + name.len(),
            asked: 0,
        });
        slot.asked = question;
        Arc::clone(&slot.org)
    }

    /// Notes how many bytes an organisation takes now, which it has in the slot of that id. To make room, those that were
    /// asked about longest ago are forgotten. Whether there is room for this one: there is none where it was forgotten
    /// itself.
    fn note(&self, name: &str, id: u64, bytes: usize) -> bool {
        let mut slots = self.slots();
        match slots.get_mut(name) {
            Some(slot) if slot.id == id => slot.bytes = size_of::<(String, Slot)>() + name.len() + bytes,
            _ => return false,
        }
        let mut held: usize = slots.values().map(|slot| slot.bytes).sum();
        while held > self.budget {
            let others = slots.iter().filter(|(other, _)| *other != name);
            let Some((oldest, _)) = others.min_by_key(|(_, slot)| slot.asked) else {
                break;
            };
            let oldest = oldest.clone();
            held -= slots.remove(&oldest).map_or(0, |slot| slot.bytes);
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
