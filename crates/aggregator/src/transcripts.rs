//! Conversations, listed: `transcripts`.
//!
//! The rollup of conversations has which there are and in what order. What a listed one shows is then read by key, a chunk
//! at a time: from its annotation, and from its messages.

use std::{collections::HashSet, ops::RangeInclusive};

use clickhouse::{Row, query::Query};
use events::{Conversation, Day, TranscriptFilter};
use futures::{
    StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, BoxStream},
};
use serde::Deserialize;

use crate::{
    cache::HeldConversations,
    connection::{Connection, MAX_EXECUTION_TIME},
    conversations::{CHUNK, TOP, id_array_literal, page_range},
    error::Error,
    store::Store,
};

/// How many times as many days are searched for the top where the days so far did not fill it.
const WIDEN: u16 = 16;

/// A page of conversations.
#[derive(Debug, PartialEq, Eq)]
pub struct TranscriptPage {
    /// The number of conversations that match the filter, on all pages.
    pub total: u64,
    /// Those of this page.
    pub conversations: Vec<Conversation>,
}

/// A conversation of a page, and the number of all that match.
#[derive(Debug, Row, Deserialize)]
struct Listed {
    conversation_id: u128,
    total: u64,
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
            return Ok(TranscriptPage {
                total: 0,
                conversations: Vec::new(),
            });
        };
        let mut total = None;
        if listing.is_unfiltered()
            && let Some(held) = HeldConversations::at(&self.clickhouse, org)
            && let Some((held_total, page)) = held.page(listing.days(), offset, limit).await?
        {
            if let Some(conversations) = page {
                return Ok(TranscriptPage {
                    total: held_total,
                    conversations,
                });
            }
            total = Some(held_total);
        }
        let (ids, total) = self.page(&listing, total, offset, limit).await?;
        // A second request to what is held: what ClickHouse has listed may be newer than the answer to the first.
        if let Some(held) = HeldConversations::at(&self.clickhouse, org)
            && let Some(conversations) = held.conversations(&ids).await?
        {
            return Ok(TranscriptPage { total, conversations });
        }
        let conversations = self.clickhouse.conversations(org, &ids).await?;
        Ok(TranscriptPage { total, conversations })
    }

    /// The ids of a page, and how many match in all, as ClickHouse lists them.
    async fn page(
        &self,
        listing: &Listing<'_>,
        known_total: Option<u64>,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<u128>, u64), Error> {
        let page = page_range(offset, limit);
        if page.end <= TOP && listing.is_unfiltered() {
            let (top, total) =
                try_join(self.top(listing, page.end), self.total(listing, known_total)).await?;
            if let Some(top) = top {
                return Ok((top.into_iter().skip(page.start).collect(), total));
            }
        }
        let listed = listing
            .page(&self.clickhouse, offset, limit)
            .fetch_all::<Listed>();
        let listed = self.clickhouse.run(listed).await?;
        let total = match listed.first() {
            Some(first) => first.total,
            None if offset == 0 => 0,
            None => self.total(listing, known_total).await?,
        };
        Ok((
            listed.iter().map(|listed| listed.conversation_id).collect(),
            total,
        ))
    }

    /// How many match, unless that is known.
    async fn total(&self, listing: &Listing<'_>, known: Option<u64>) -> Result<u64, Error> {
        match known {
            Some(total) => Ok(total),
            None if listing.is_unfiltered() => {
                self.clickhouse
                    .count_conversations(listing.org, listing.days())
                    .await
            }
            None => {
                let matching = listing.query(&self.clickhouse, &listing.matching("count()"));
                self.clickhouse.run(matching.fetch_one::<u64>()).await
            }
        }
    }

    /// The first ids of an unfiltered list, or all where there are fewer; none where they are not found this way.
    ///
    /// They are searched for among the latest conversations of the latest days, and of more days while those do not have
    /// enough. What a day has of a conversation that began before it says nothing about its position in the list.
    async fn top(&self, listing: &Listing<'_>, count: usize) -> Result<Option<Vec<u128>>, Error> {
        let query = |statement, since_day: u16| {
            self.clickhouse
                .query(statement, listing.org)
                .param("since_day", since_day)
                .param("last_day", listing.last_day)
        };
        let latest_day = query(include_str!("../sql/latest_day.sql"), listing.first_day);
        let Some(latest_day) = self.clickhouse.run(latest_day.fetch_optional::<u16>()).await? else {
            return Ok(Some(Vec::new()));
        };
        let days = latest_day - listing.first_day;
        let mut earlier = 0;
        loop {
            let since_day = latest_day - earlier;
            let candidates = query(include_str!("../sql/latest_conversations.sql"), since_day)
                .param("limit", 2 * count)
                .fetch_all();
            let mut ids: Vec<u128> = self.clickhouse.run(candidates).await?;
            let all = ids.len() < 2 * count;
            let began_before = query(include_str!("../sql/began_before.sql"), since_day)
                .bind(id_array_literal(&ids))
                .fetch_all();
            let began_before: HashSet<u128> = self.clickhouse.run(began_before).await?.into_iter().collect();
            ids.retain(|id| !began_before.contains(id));
            if ids.len() >= count || (earlier == days && all) {
                ids.truncate(count);
                return Ok(Some(ids));
            }
            if earlier == days {
                return Ok(None);
            }
            earlier = (earlier.saturating_add(1).saturating_mul(WIDEN) - 1).min(days);
        }
    }

    /// All conversations that match, in the order of pages, in chunks of bounded size.
    ///
    /// The stream holds one query open for the order; what it holds in memory does not grow with the answer.
    pub fn transcripts(
        &self,
        org: &str,
        filter: &TranscriptFilter,
    ) -> BoxStream<'static, Result<Vec<Conversation>, Error>> {
        let Some(listing) = Listing::new(org, filter) else {
            return stream::empty().boxed();
        };
        let (clickhouse, org) = (Connection::clone(&self.clickhouse), org.to_owned());
        // It lasts as long as the client takes to read the answer.
        let ids = listing
            .ids(&self.clickhouse)
            .with_setting(MAX_EXECUTION_TIME, "0")
            .fetch::<u128>();
        let ids = {
            let clickhouse = clickhouse.clone();
            stream::once(async { Ok::<_, Error>(ids?) }).map_ok(move |cursor| {
                stream::try_unfold(
                    (clickhouse.clone(), cursor),
                    |(clickhouse, mut cursor)| async move {
                        let next = clickhouse.run(cursor.next()).await?;
                        Ok(next.map(|id| (id, (clickhouse, cursor))))
                    },
                )
            })
        };
        ids.try_flatten()
            .try_chunks(CHUNK)
            .map_err(|error| error.1)
            .map_ok(move |ids| {
                let (clickhouse, org) = (clickhouse.clone(), org.clone());
                async move { clickhouse.chunk(&org, ids).await }
            })
            .try_buffered(2)
            .boxed()
    }
}

/// Newest `inserted_at` first, then by id.
const ORDER: &str = "ORDER BY bitShiftRight(first, 128) DESC, conversation_id";

/// Which conversations are listed, in SQL.
#[derive(Clone, Copy)]
struct Listing<'a> {
    org: &'a str,
    filter: &'a TranscriptFilter,
    /// In days since 1970, as a `Date` holds them. Messages date from the year 2000 on.
    first_day: u16,
    last_day: u16,
}

impl<'a> Listing<'a> {
    /// None where no conversation can match.
    fn new(org: &'a str, filter: &'a TranscriptFilter) -> Option<Self> {
        let day = |day: Day| u16::try_from(day.number().max(0)).unwrap_or(u16::MAX);
        let (first_day, last_day) = (filter.start.map_or(0, day), filter.end.map_or(u16::MAX, day));
        (first_day <= last_day).then_some(Self {
            org,
            filter,
            first_day,
            last_day,
        })
    }

    fn is_unfiltered(&self) -> bool {
        self.filter.mentor.is_none() && self.filter.topics.is_empty()
    }

    fn days(&self) -> RangeInclusive<u16> {
        self.first_day..=self.last_day
    }

    fn ids(&self, clickhouse: &Connection) -> Query {
        self.query(
            clickhouse,
            &format!("{} {ORDER}", self.matching("conversation_id")),
        )
    }

    /// [`Listed`] rows. What matches is counted with them, so that it is not searched for twice.
    fn page(&self, clickhouse: &Connection, offset: u64, limit: u64) -> Query {
        let matching = self.matching("conversation_id, count() OVER () AS total");
        let page = format!("{matching} {ORDER} LIMIT {limit} OFFSET {offset}");
        self.query(clickhouse, &page)
    }

    /// Selects of the conversations that match.
    fn matching(&self, columns: &str) -> String {
        let (mut conditions, mut among) = (String::new(), "");
        if self.filter.mentor.is_some() {
            conditions += include_str!("../sql/transcripts_with_mentor.sql");
            // The rows of the message that a conversation began with name its mentor, whatever they are merged with: what
            // has no such row need not be merged.
            among = include_str!("../sql/perhaps_with_mentor.sql");
        }
        if !self.filter.topics.is_empty() {
            conditions += include_str!("../sql/transcripts_with_topics.sql");
        }
        include_str!("../sql/transcripts.sql")
            .replace("${columns}", columns)
            .replace("${where}", &conditions)
            .replace("${among}", among)
    }

    fn query(&self, clickhouse: &Connection, sql: &str) -> Query {
        let mut query = clickhouse
            .query(sql, self.org)
            .param("first_day", self.first_day)
            .param("last_day", self.last_day);
        if let Some(mentor) = &self.filter.mentor {
            query = query.param("mentor", mentor);
        }
        if !self.filter.topics.is_empty() {
            query = query.bind(&self.filter.topics);
        }
        query
    }
}
