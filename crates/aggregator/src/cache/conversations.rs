//! What is held of an organisation's conversations, and how it is brought up to date.

use std::{ops::RangeInclusive, sync::Arc, time::Instant};

use events::Conversation;
use futures::future::try_join;
use tokio::sync::{Mutex, MutexGuard};

use super::{
    Held, Share, Source, WHILE,
    beginnings::{Beginnings, Progress},
    details::Details,
    fresh,
    parts::{PartLists, Parts},
};
use crate::{conversations::page_range, error::Error};

/// How often parts are listed where merges go on meanwhile, and how often counting begins anew.
const ATTEMPTS: u32 = 4;

/// What is held of one organisation.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    beginnings: Beginnings,
    details: Details,
    /// Of its slot in the cache.
    id: u64,
    /// The last question that had come when the parts were listed that beginnings are of: for it and those before, nothing
    /// newer need be read.
    begun: u64,
    /// The same of details.
    detailed: u64,
    /// How often counting has begun anew since it last came to its end.
    overtaken: u32,
    /// When they are tried again, after they took too much time or memory.
    retry: Option<Instant>,
    /// Whether something has been read to its end, from where the next question goes on.
    has_progress: bool,
}

/// What a question asks of what is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    org: &'a str,
    /// Whether it asks which conversations there are, and not only what some show.
    list: bool,
}

/// A question to what is held.
#[derive(Debug)]
pub(crate) struct HeldConversations<'a> {
    store: &'a Source,
    org: &'a str,
    question: u64,
    held: Arc<Mutex<Conversations>>,
}

impl<'a> HeldConversations<'a> {
    /// None where nothing is held in memory.
    pub(crate) fn at(store: &'a Source, org: &'a str) -> Option<Self> {
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
        offset: u64,
        limit: u64,
    ) -> Result<Option<(u64, Option<Vec<Conversation>>)>, Error> {
        let Some(mut held) = self.fresh(true).await else {
            return Ok(None);
        };
        let page = page_range(offset, limit);
        let Some(mut ids) = held.beginnings.top(&days, page.end) else {
            return Ok(Some((held.beginnings.total(days), None)));
        };
        let total = held.beginnings.total(days);
        ids.drain(..page.start.min(ids.len()));
        let conversations = held.read(self.store, self.org, &ids).await?;
        Ok(Some((total, Some(conversations))))
    }

    /// What the conversations of these ids show, in the order of the ids; none where that cannot be held.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub(crate) async fn conversations(&self, ids: &[u128]) -> Result<Option<Vec<Conversation>>, Error> {
        match self.fresh(false).await {
            Some(mut held) => held.read(self.store, self.org, ids).await.map(Some),
            None => Ok(None),
        }
    }

    async fn fresh(&self, list: bool) -> Option<MutexGuard<'_, Conversations>> {
        let asked = Asked { org: self.org, list };
        fresh(self.store, &self.held, &asked, self.question).await
    }
}

impl Held<Asked<'_>> for Conversations {
    async fn refresh(&mut self, store: &Source, asked: &Asked<'_>, question: u64) -> Result<bool, Error> {
        self.has_progress = false;
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return Ok(false);
        }
        self.read_new(store, asked, question).await
    }

    fn give_up_in_time(&mut self, store: &Source, asked: &Asked<'_>) {
        if !self.has_progress {
            self.forget(store, asked.org);
        }
        self.note(store, asked.org);
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

    /// Reads what is new. Whether all that is asked for is held then.
    async fn read_new(&mut self, store: &Source, asked: &Asked<'_>, question: u64) -> Result<bool, Error> {
        let org = asked.org;
        let mut attempts = 0;
        while !self.is_fresh(asked, question) && attempts < ATTEMPTS {
            let last_question = store.cache.last_question();
            let [messages, annotations] = Details::TABLES;
            let lists = PartLists::of(store, &[Beginnings::TABLE, messages, annotations]).await?;
            let conversations = lists.parts(Beginnings::TABLE);
            let details = [lists.parts(messages), lists.parts(annotations)];
            // No part may mean that none may be seen, which ClickHouse does not tell.
            if conversations.is_empty() || details.iter().all(Parts::is_empty) {
                return Ok(false);
            }
            let beginnings = async {
                if !asked.list {
                    return Ok(Progress::Done);
                }
                // Until they are whole they answer nobody.
                self.begun = 0;
                self.beginnings.refresh(store, org, &conversations).await
            };
            let read = try_join(beginnings, self.details.refresh(store, org, details)).await;
            let has_room = self.note(store, org);
            let (progress, ()) = read?;
            if !has_room {
                return Ok(false);
            }
            self.detailed = last_question;
            match progress {
                Progress::Done if asked.list => (self.begun, self.overtaken) = (last_question, 0),
                Progress::Done => {}
                Progress::More => (attempts, self.has_progress) = (0, true),
                Progress::Moved => attempts += 1,
                Progress::Overtaken => {
                    self.overtaken += 1;
                    if self.overtaken == ATTEMPTS {
                        self.forget(store, org);
                        return Ok(false);
                    }
                }
            }
        }
        Ok(self.is_fresh(asked, question))
    }

    fn is_fresh(&self, asked: &Asked<'_>, question: u64) -> bool {
        self.detailed >= question && (!asked.list || self.begun >= question)
    }

    /// What the conversations of these ids show, in the order of the ids.
    async fn read(&mut self, store: &Source, org: &str, ids: &[u128]) -> Result<Vec<Conversation>, Error> {
        let conversations = self.details.of(store, org, ids).await?;
        self.note(store, org);
        Ok(conversations)
    }

    /// Notes how much memory is taken. Where there is no room, what conversations show is forgotten, and then all. Whether
    /// there is room.
    fn note(&mut self, store: &Source, org: &str) -> bool {
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
    fn forget(&mut self, store: &Source, org: &str) {
        *self = Self {
            retry: Some(Instant::now() + WHILE),
            ..Self::new(self.id)
        };
        self.has_room(store, org);
    }

    fn has_room(&self, store: &Source, org: &str) -> bool {
        let bytes = size_of::<Self>() + self.beginnings.bytes() + self.details.bytes();
        store.cache.note(org, self.id, Share::Conversations, bytes)
    }
}
