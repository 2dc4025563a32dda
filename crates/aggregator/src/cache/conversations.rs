//! What is held of an organisation's conversations, and how it is brought up to date.

use std::{ops::RangeInclusive, sync::Arc};

use events::Conversation;
use futures::future::try_join;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};
use tracing::warn;

use super::{PATIENCE, Share, beginnings::Beginnings, details::Details, parts::Listing};
use crate::{Error, Store};

/// How often parts are listed where merges go on meanwhile.
const ATTEMPTS: u32 = 4;

/// What was too much is tried again after so many questions.
const WHILE: u64 = 1_000;

/// What is held of one organisation.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    beginnings: Beginnings,
    details: Details,
    /// Of its slot in the cache.
    id: u64,
    /// The last question that had come when the parts were listed: for it and those before, nothing newer need be read.
    question: u64,
    /// The question from which on it is tried again, after they took too much time or memory.
    too_much_until: u64,
}

/// A question's look at what is held.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    store: &'a Store,
    org: &'a str,
    question: u64,
    held: Arc<Mutex<Conversations>>,
}

impl<'a> Look<'a> {
    /// None where nothing is held in memory.
    pub(crate) fn at(store: &'a Store, org: &'a str) -> Option<Self> {
        let cache = &store.cache;
        if cache.is_off() {
            return None;
        }
        let question = cache.question();
        Some(Self {
            store,
            org,
            question,
            held: cache.held(org, question, |slot| &slot.conversations),
        })
    }

    /// Of those that began on these days, how many there are and a page of their list; none where that is not held. The page
    /// may not be held where the number is.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub(crate) async fn page(
        &self,
        days: RangeInclusive<u16>,
        skipped: usize,
        end: usize,
    ) -> Result<Option<(u64, Option<Vec<Conversation>>)>, Error> {
        let Some(mut held) = self.fresh().await else {
            return Ok(None);
        };
        let Some(mut ids) = held.beginnings.top(&days, end) else {
            return Ok(Some((held.beginnings.total(days), None)));
        };
        let total = held.beginnings.total(days);
        ids.drain(..skipped.min(ids.len()));
        let conversations = held.read(self.store, self.org, &ids).await?;
        Ok(Some((total, Some(conversations))))
    }

    /// What the conversations of these ids show, in the order of the ids; none where that cannot be held.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub(crate) async fn conversations(&self, ids: &[u128]) -> Result<Option<Vec<Conversation>>, Error> {
        match self.fresh().await {
            Some(mut held) => held.read(self.store, self.org, ids).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is held, once it is as fresh as ClickHouse; none where it cannot be.
    async fn fresh(&self) -> Option<MutexGuard<'_, Conversations>> {
        let mut held = timeout(PATIENCE, self.held.lock()).await.ok()?;
        if self.question < held.too_much_until {
            return None;
        }
        // The rest of the time is for ClickHouse to answer in, if this takes too long.
        let limit = self.store.settings.query_timeout() / 3;
        // In a box, as few questions have something to read.
        let reading = Box::pin(held.refresh(self.store, self.org, self.question));
        match timeout(limit, reading).await {
            Ok(Ok(true)) => Some(held),
            Ok(Ok(false)) => None,
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                warn!(
                    error,
                    "ClickHouse is asked for conversations: they cannot be read into memory"
                );
                None
            }
            Err(_elapsed) => {
                held.forget(self.store, self.org);
                None
            }
        }
    }
}

impl Conversations {
    /// Nothing yet, in the slot of that id.
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// Reads what is new. Whether all is held then.
    ///
    /// It may be given up at any moment: what is not taken in then is read again.
    async fn refresh(&mut self, store: &Store, org: &str, question: u64) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            if self.question >= question {
                return Ok(true);
            }
            let asked = store.cache.last_question();
            let [messages, annotations] = Details::TABLES;
            let listing = Listing::of(store, &[Beginnings::TABLE, messages, annotations]).await?;
            let conversations = listing.parts(Beginnings::TABLE);
            let details = [listing.parts(messages), listing.parts(annotations)];
            // No part may mean that none may be seen, which ClickHouse does not tell.
            if conversations.is_empty() || details.iter().all(super::parts::Parts::is_empty) {
                return Ok(false);
            }
            let read = try_join(
                self.beginnings.refresh(store, org, &conversations),
                self.details.refresh(store, org, details),
            )
            .await;
            let has_room = self.note(store, org);
            let (is_read, ()) = read?;
            if !has_room {
                return Ok(false);
            }
            if is_read {
                self.question = asked;
            }
        }
        Ok(self.question >= question)
    }

    /// What the conversations of these ids show, in the order of the ids.
    async fn read(&mut self, store: &Store, org: &str, ids: &[u128]) -> Result<Vec<Conversation>, Error> {
        let conversations = self.details.of(store, org, ids).await?;
        self.note(store, org);
        Ok(conversations)
    }

    /// Notes how much memory is taken. Where there is no room, what conversations show is forgotten, and then all. Whether
    /// there is room.
    fn note(&mut self, store: &Store, org: &str) -> bool {
        if self.has_room(store, org) {
            return true;
        }
        self.details.clear();
        let has_room = self.has_room(store, org);
        if !has_room {
            self.forget(store, org);
        }
        has_room
    }

    /// Forgets all, and reads nothing for a while.
    fn forget(&mut self, store: &Store, org: &str) {
        *self = Self {
            too_much_until: store.cache.last_question() + WHILE,
            ..Self::new(self.id)
        };
        self.has_room(store, org);
    }

    fn has_room(&self, store: &Store, org: &str) -> bool {
        let bytes = size_of::<Self>() + self.beginnings.bytes() + self.details.bytes();
        store.cache.note(org, self.id, Share::Conversations, bytes)
    }
}
