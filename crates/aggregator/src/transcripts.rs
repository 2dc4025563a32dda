//! Conversations, listed: `transcripts`.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use events::{Conversation, Place, TranscriptFilter};
use futures::{
    StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, BoxStream},
};

use crate::{
    connection::Connection,
    conversations::Details,
    error::Error,
    listing::{Candidates, Listing, Position},
    store::Store,
};

/// The first of a page are one chunk and those before it, as long as these have less text than this, in bytes.
const FIRST_BYTES: usize = 1 << 20;

/// About how many candidates that began elsewhere are read in vain.
const MANY_ELSEWHERE: u64 = 1_000;

/// Conversations in chunks of bounded size.
pub type Conversations = BoxStream<'static, Result<Vec<Conversation>, Error>>;

/// A page of conversations.
pub struct TranscriptPage {
    /// The number of conversations that match the filter, on all pages.
    pub total: u64,
    /// The first of this page: all, unless their texts are long.
    pub first: Vec<Conversation>,
    /// Those after them.
    pub rest: Option<Conversations>,
}

impl TranscriptPage {
    const fn empty(total: u64) -> Self {
        Self {
            total,
            first: Vec::new(),
            rest: None,
        }
    }
}

impl std::fmt::Debug for TranscriptPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TranscriptPage")
            .field("total", &self.total)
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A page of the conversations that match, newest `inserted_at` first, then by id.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn transcripts_page(
        &self,
        org: &str,
        filter: &TranscriptFilter,
        offset: u64,
        limit: u64,
    ) -> Result<TranscriptPage, Error> {
        let Some(listing) = Listing::new(org, filter) else {
            return Ok(TranscriptPage::empty(0));
        };
        let (mut list, mut first, total);
        if offset == 0 {
            // The first of all are found without counts, and so while they are counted.
            let begun = async {
                let candidates = Candidates::of(listing.clone(), &self.clickhouse).await?;
                let mut list = List::of(candidates, limit);
                let first = list.next().await?.unwrap_or_default();
                Ok((list, first))
            };
            let counts;
            (counts, (list, first)) = try_join(listing.counts(&self.clickhouse), begun).await?;
            total = counts.values().sum();
        } else {
            let counts = listing.counts(&self.clickhouse).await?;
            total = counts.values().sum();
            let Some(candidates) = self.after(listing, &counts, offset).await? else {
                return Ok(TranscriptPage::empty(total));
            };
            (list, first) = (List::of(candidates, limit), Vec::new());
        }
        list.left = list.left.min(total.saturating_sub(offset + count(first.len())));
        // Each chunk ends with the days that it was found in.
        while text_bytes(&first) < FIRST_BYTES
            && let Some(chunk) = list.next().await?
        {
            first.extend(chunk);
        }
        Ok(TranscriptPage {
            total,
            first,
            rest: (list.left > 0).then(|| list.chunks()),
        })
    }

    /// The candidates after so many that are listed; none where no more are. Days are passed over by their counts.
    async fn after(
        &self,
        listing: Listing,
        counts: &BTreeMap<u16, u64>,
        mut number: u64,
    ) -> Result<Option<Candidates>, Error> {
        let mut latest_first = counts.iter().rev();
        let day = latest_first.find(|(_, count)| match number.checked_sub(**count) {
            Some(rest) => {
                number = rest;
                false
            }
            None => true,
        });
        let Some((&day, &count)) = day else {
            return Ok(None);
        };
        let last = listing.nth_of_day(&self.clickhouse, day, count, number).await?;
        let Some(listing) = listing.until(day) else {
            return Ok(None);
        };
        Candidates::since(listing, &self.clickhouse, last).await.map(Some)
    }

    /// The conversations that match and come after a place, in the order of pages: so many at most, and fewer where their
    /// texts are long. Whether they are the last.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn transcripts_after(
        &self,
        org: &str,
        filter: &TranscriptFilter,
        place: Option<Place>,
        limit: u64,
    ) -> Result<(Vec<Conversation>, bool), Error> {
        let after = place.map(Position::from);
        let listing = Listing::new(org, filter);
        let candidates = match (listing, after) {
            (Some(listing), None) => Candidates::of(listing, &self.clickhouse).await?,
            (Some(listing), Some(position)) => match listing.until(position.day()) {
                Some(listing) => Candidates::since(listing, &self.clickhouse, after).await?,
                None => return Ok((Vec::new(), true)),
            },
            (None, _) => return Ok((Vec::new(), true)),
        };
        let mut list = List::of(candidates, limit);
        let mut found = Vec::new();
        while list.left > 0 && text_bytes(&found) < FIRST_BYTES {
            let Some(chunk) = list.next().await? else {
                return Ok((found, true));
            };
            found.extend(chunk);
        }
        Ok((found, false))
    }

    /// All conversations that match, in the order of pages.
    ///
    /// Each chunk is asked for by where the one before ended: nothing is held open at ClickHouse while nobody reads.
    pub fn transcripts(&self, org: &str, filter: &TranscriptFilter) -> Conversations {
        let Some(listing) = Listing::new(org, filter) else {
            return stream::empty().boxed();
        };
        let clickhouse = Connection::clone(&self.clickhouse);
        let list = async move {
            let candidates = Candidates::of(listing, &clickhouse).await?;
            let mut list = List::of(candidates, u64::MAX);
            let first = list.next().await?;
            let first = stream::iter(first.map(Ok));
            Ok::<_, Error>(first.chain(list.chunks()))
        };
        stream::once(list).try_flatten().boxed()
    }
}

/// A list that is being read.
#[derive(Debug)]
struct List {
    candidates: Candidates,
    /// The number of conversations that are still wanted.
    left: u64,
    /// How many candidates were named so far, and how many of them were listed.
    named: u64,
    listed: u64,
    /// How many of them began elsewhere or with another mentor.
    begun_elsewhere: u64,
    /// Whether texts were so long that a chunk could not have all that were named.
    is_long: bool,
    /// Of those that were named last, the ones that are still to be read, in groups of bounded size.
    groups: VecDeque<Vec<u128>>,
    /// Up to where those are listed.
    until: Position,
}

impl List {
    fn of(candidates: Candidates, left: u64) -> Self {
        Self {
            candidates,
            left,
            named: 0,
            listed: 0,
            begun_elsewhere: 0,
            is_long: false,
            groups: VecDeque::new(),
            until: Position::end_of(0),
        }
    }

    /// The rest of it, which waits for a ClickHouse that is away: who reads it has a part already.
    fn chunks(mut self) -> Conversations {
        self.candidates.clickhouse = self.candidates.clickhouse.patient();
        let chunks = stream::try_unfold(self, async |mut list| {
            let chunk = list.next().await?;
            Ok(chunk.map(|chunk| (chunk, list)))
        });
        chunks.boxed()
    }

    /// The next chunk; none where the list ends.
    async fn next(&mut self) -> Result<Option<Vec<Conversation>>, Error> {
        while self.left > 0 {
            let Some(details) = self.read().await? else {
                break;
            };
            let chunk = self.listed(details);
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// The details of the next candidates; none where there are no more.
    async fn read(&mut self) -> Result<Option<Vec<Details>>, Error> {
        if self.groups.is_empty() {
            // As many as those so far make one expect, and some more.
            let expected = self.left.saturating_mul(self.named + 8) / (self.listed + 8);
            let limit = usize::try_from(expected.saturating_add(expected / 8 + 8));
            let Some((ids, until)) = self.candidates.next(limit.unwrap_or(usize::MAX)).await? else {
                return Ok(None);
            };
            self.until = until;
            self.named += count(ids.len());
            if !self.is_long {
                match self.candidates.chunk(&ids).await? {
                    Some(details) => return Ok(Some(details)),
                    None => self.is_long = true,
                }
            }
            self.groups = self.candidates.by_size(ids).await?;
        }
        match self.groups.pop_front() {
            Some(ids) => self.candidates.group(&ids).await.map(Some),
            None => Ok(None),
        }
    }

    /// Those that are listed where they were named, in the order of the list.
    fn listed(&mut self, details: Vec<Details>) -> Vec<Conversation> {
        let listing = &self.candidates.listing;
        let (begun, others): (Vec<_>, Vec<_>) = details
            .into_iter()
            .partition(|details| listing.has_begun(details, self.until));
        let on_topic = begun.into_iter().filter(|details| listing.has_topic(details));
        let mut listed: Vec<_> = on_topic.map(|details| details.conversation).collect();
        self.begun_elsewhere += count(others.len());
        if self.begun_elsewhere > MANY_ELSEWHERE && self.begun_elsewhere > self.named / 2 {
            // These conversations go on for days, or with other mentors. What is left is held against when they began first.
            self.candidates.have_begun = true;
            (self.named, self.listed, self.begun_elsewhere) = (0, 0, 0);
        }
        listed.sort_unstable_by_key(|conversation| (Reverse(conversation.inserted_at), conversation.id));
        listed.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= count(listed.len());
        self.listed += count(listed.len());
        listed
    }
}

fn text_bytes(conversations: &[Conversation]) -> usize {
    let texts = conversations
        .iter()
        .map(|conversation| conversation.first_message.len());
    texts.sum()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
