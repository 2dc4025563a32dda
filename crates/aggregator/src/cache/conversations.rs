//! What is held of an organisation's conversations, and how it is brought up to date.

use std::sync::Arc;

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

/// What is held of one organisation.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    pub(crate) beginnings: Beginnings,
    details: Details,
    /// Of its slot in the cache.
    id: u64,
    /// The last question that had come when the parts were listed: for it and those before, nothing newer need be read.
    question: u64,
    /// Whether they take too long to read: ClickHouse is asked.
    is_too_much: bool,
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

    /// What is held, once it is as fresh as ClickHouse; none where it cannot be.
    pub(crate) async fn fresh(&self) -> Option<MutexGuard<'_, Conversations>> {
        let mut held = timeout(PATIENCE, self.held.lock()).await.ok()?;
        if held.is_too_much {
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
                held.is_too_much = true;
                None
            }
        }
    }

    /// What the conversations of these ids show, in the order of the ids.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub(crate) async fn conversations(&self, ids: &[u128]) -> Result<Option<Vec<Conversation>>, Error> {
        let Some(mut held) = self.fresh().await else {
            return Ok(None);
        };
        let conversations = held.details.of(self.store, self.org, ids).await?;
        held.note(self.store, self.org);
        Ok(Some(conversations))
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
            let (is_read, ()) = try_join(
                self.beginnings.refresh(store, org, &conversations),
                self.details.refresh(store, org, details),
            )
            .await?;
            if is_read {
                self.question = asked;
                self.note(store, org);
            }
        }
        Ok(self.question >= question)
    }

    /// Notes how much memory is taken. Where there is no room, what conversations show is forgotten, and then all.
    fn note(&mut self, store: &Store, org: &str) {
        let has_room = |held: &Self| {
            let bytes = size_of::<Self>() + held.beginnings.bytes() + held.details.bytes();
            store.cache.note(org, held.id, Share::Conversations, bytes)
        };
        if !has_room(self) {
            self.details.clear();
            if !has_room(self) {
                self.beginnings = Beginnings::default();
                let _ = has_room(self);
            }
        }
    }
}
