//! Conversations, listed: `transcripts`.

use events::{Conversation, TranscriptFilter};
use futures::{
    StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, BoxStream},
};

use crate::{
    connection::Connection,
    conversations::CHUNK,
    error::Error,
    listing::{Listing, Position},
    store::Store,
};

/// A page of conversations.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TranscriptPage {
    /// The number of conversations that match the filter, on all pages.
    pub total: u64,
    /// Those of this page.
    pub conversations: Vec<Conversation>,
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
            return Ok(TranscriptPage::default());
        };
        let (total, conversations) = if offset == 0 {
            let first = async {
                let listed = listing.after(&self.clickhouse, None, position(limit)).await?;
                self.conversations(org, &listed).await
            };
            let (counts, conversations) = try_join(listing.counts(&self.clickhouse), first).await?;
            (counts.values().sum(), conversations)
        } else {
            self.later_page(&listing, offset, limit).await?
        };
        Ok(TranscriptPage { total, conversations })
    }

    /// A page that is not the first: the days before it are passed over by their counts.
    async fn later_page(
        &self,
        listing: &Listing,
        offset: u64,
        limit: u64,
    ) -> Result<(u64, Vec<Conversation>), Error> {
        let counts = listing.counts(&self.clickhouse).await?;
        let total = counts.values().sum();
        let mut before = offset;
        let day = counts
            .iter()
            .rev()
            .find(|(_, count)| match before.checked_sub(**count) {
                Some(rest) => {
                    before = rest;
                    false
                }
                None => true,
            });
        let Some((&day, &count)) = day else {
            return Ok((total, Vec::new()));
        };
        let last = listing
            .nth_of_day(&self.clickhouse, day, count, position(before))
            .await?;
        let listing = listing.on(listing.first_day()..=day);
        let listed = listing.after(&self.clickhouse, last, position(limit)).await?;
        Ok((total, self.conversations(listing.org(), &listed).await?))
    }

    async fn conversations(&self, org: &str, listed: &[Position]) -> Result<Vec<Conversation>, Error> {
        let ids: Vec<_> = listed.iter().map(|listed| listed.conversation_id).collect();
        self.clickhouse.conversations(org, &ids).await
    }

    /// All conversations that match, in the order of pages, in chunks of bounded size.
    ///
    /// Each chunk is asked for by where the one before ended: nothing is held open at ClickHouse while nobody reads.
    pub fn transcripts(
        &self,
        org: &str,
        filter: &TranscriptFilter,
    ) -> BoxStream<'static, Result<Vec<Conversation>, Error>> {
        let Some(listing) = Listing::new(org, filter) else {
            return stream::empty().boxed();
        };
        let clickhouse = Connection::clone(&self.clickhouse);
        let chunks = {
            let (clickhouse, listing) = (clickhouse.clone(), listing.clone());
            stream::try_unfold(Some(None), move |after| {
                let (clickhouse, listing) = (clickhouse.clone(), listing.clone());
                async move {
                    let Some(after) = after else { return Ok(None) };
                    let listed = listing.after(&clickhouse, after, CHUNK).await?;
                    let next = (listed.len() == CHUNK).then(|| listed.last().copied());
                    let ids: Vec<_> = listed.iter().map(|listed| listed.conversation_id).collect();
                    let groups = clickhouse.by_size(listing.org(), ids).await?;
                    Ok::<_, Error>(Some((stream::iter(groups.into_iter().map(Ok)), next)))
                }
            })
        };
        chunks
            .try_flatten()
            .map_ok(move |ids| {
                let (clickhouse, listing) = (clickhouse.clone(), listing.clone());
                async move { clickhouse.chunk(listing.org(), ids).await }
            })
            // Nothing is read ahead: a client that reads slowly keeps ClickHouse from nothing.
            .try_buffered(1)
            .boxed()
    }
}

fn position(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
