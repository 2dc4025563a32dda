//! Conversations, listed: `transcripts`.
//!
//! The rollup of conversations tells which there are and in what order. What a listed one shows is then read by
//! key, a chunk at a time: its annotation, and what its messages tell.

use std::{
    collections::{HashMap, HashSet},
    ops::{Range, RangeInclusive},
};

use clickhouse::{Row, query::Query};
use events::{Conversation, Day, Sentiment, Timestamp, TranscriptFilter};
use futures::{
    StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, BoxStream},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{Error, Store, cache::HeldConversations, store::MAX_EXECUTION_TIME};

/// How many conversations are read at once. A statement that names their ids, of 39 digits at most, stays within ClickHouse's
/// default `http_max_field_value_size` of 128 KiB.
const CHUNK: usize = 3_000;

/// How many conversations make the top of a list, which is looked for in its latest days.
pub(crate) const TOP: usize = 1_000;

/// How many times as many days are looked at for the top when those so far did not fill it.
const WIDEN: u16 = 16;

/// A page of conversations.
#[derive(Debug, PartialEq, Eq)]
pub struct TranscriptPage {
    /// How many conversations match the filter, on all pages.
    pub total: u64,
    /// Those of this page.
    pub conversations: Vec<Conversation>,
}

/// A conversation of a page, and how many match in all.
#[derive(Debug, Row, Deserialize)]
struct Listed {
    conversation_id: u128,
    total: u64,
}

/// What the messages of a conversation tell of it.
#[derive(Debug, Row, Deserialize)]
struct Told {
    conversation_id: u128,
    inserted_at: i64,
    message_count: u64,
    has_user_message: bool,
    first_user: (String, String),
    first_user_id: String,
    last_model: String,
}

#[derive(Debug, Row, Deserialize)]
struct Annotation {
    conversation_id: u128,
    user_sentiment: String,
    topics: Vec<String>,
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
            && let Some(held) = HeldConversations::at(self, org)
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
        // Another question to what is held: what ClickHouse has listed may be newer than what the first was told.
        if let Some(held) = HeldConversations::at(self, org)
            && let Some(conversations) = held.conversations(&ids).await?
        {
            return Ok(TranscriptPage { total, conversations });
        }
        let conversations = self.conversations(org, &ids).await?;
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
        let page = places(offset, limit);
        if page.end <= TOP && listing.is_unfiltered() {
            let (top, total) =
                try_join(self.top(listing, page.end), self.total(listing, known_total)).await?;
            if let Some(top) = top {
                return Ok((top.into_iter().skip(page.start).collect(), total));
            }
        }
        let listed = listing.page(self, offset, limit).fetch_all::<Listed>();
        let listed = self.run(listed).await?;
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
            None if listing.is_unfiltered() => self.count_conversations(listing.org, listing.days()).await,
            None => {
                let matching = listing.query(self, &listing.matching("count()"));
                self.run(matching.fetch_one::<u64>()).await
            }
        }
    }

    /// The first ids of an unfiltered list, or all where there are fewer; none where they are not found this way.
    ///
    /// They are looked for among the latest conversations of the latest days, and of more days while those do not have
    /// as many. What a day has of a conversation that began before it says nothing of its place in the list.
    async fn top(&self, listing: &Listing<'_>, count: usize) -> Result<Option<Vec<u128>>, Error> {
        let query = |statement, since_day: u16| {
            self.query(statement, listing.org)
                .param("since_day", since_day)
                .param("last_day", listing.last_day)
        };
        let latest_day = query(include_str!("../sql/latest_day.sql"), listing.first_day);
        let Some(latest_day) = self.run(latest_day.fetch_optional::<u16>()).await? else {
            return Ok(Some(Vec::new()));
        };
        let days = latest_day - listing.first_day;
        let mut earlier = 0;
        loop {
            let since_day = latest_day - earlier;
            let candidates = query(include_str!("../sql/latest_conversations.sql"), since_day)
                .param("limit", 2 * count)
                .fetch_all();
            let mut ids: Vec<u128> = self.run(candidates).await?;
            let all = ids.len() < 2 * count;
            let began_before = query(include_str!("../sql/began_before.sql"), since_day)
                .bind(list(&ids))
                .fetch_all();
            let began_before: HashSet<u128> = self.run(began_before).await?.into_iter().collect();
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
        let (store, org) = (self.clone(), org.to_owned());
        // It lasts as long as whoever reads the answer takes.
        let ids = listing
            .ids(self)
            .with_setting(MAX_EXECUTION_TIME, "0")
            .fetch::<u128>();
        let ids = {
            let store = store.clone();
            stream::once(async { Ok::<_, Error>(ids?) }).map_ok(move |cursor| {
                stream::try_unfold((store.clone(), cursor), |(store, mut cursor)| async move {
                    let next = store.run(cursor.next()).await?;
                    Ok(next.map(|id| (id, (store, cursor))))
                })
            })
        };
        ids.try_flatten()
            .try_chunks(CHUNK)
            .map_err(|error| error.1)
            .map_ok(move |ids| {
                let (store, org) = (store.clone(), org.clone());
                async move { store.chunk(&org, ids).await }
            })
            .try_buffered(2)
            .boxed()
    }

    /// What the conversations of these ids show, in the order of the ids.
    pub(crate) async fn conversations(&self, org: &str, ids: &[u128]) -> Result<Vec<Conversation>, Error> {
        // Owned chunks: a future that borrows from an iterator over borrowed chunks is not `Send` to the compiler.
        let chunks: Vec<_> = ids.chunks(CHUNK).map(<[u128]>::to_vec).collect();
        let reads = chunks.into_iter().map(|ids| self.chunk(org, ids));
        stream::iter(reads).buffered(2).try_concat().await
    }

    /// The same of one chunk.
    async fn chunk(&self, org: &str, ids: Vec<u128>) -> Result<Vec<Conversation>, Error> {
        let list = list(&ids);
        let by_ids = |statement| self.query(statement, org).bind(&list);
        let (told, annotations) = try_join(
            self.run(by_ids(include_str!("../sql/conversations.sql")).fetch_all::<Told>()),
            self.run(by_ids(include_str!("../sql/conversation_annotations.sql")).fetch_all::<Annotation>()),
        )
        .await?;
        let mut told: HashMap<_, _> = told.into_iter().map(|t| (t.conversation_id, t)).collect();
        let mut annotations: HashMap<_, _> =
            annotations.into_iter().map(|a| (a.conversation_id, a)).collect();
        Ok(ids
            .iter()
            .filter_map(|id| {
                let annotation = annotations.remove(id);
                told.remove(id).map(|told| conversation(told, annotation))
            })
            .collect())
    }
}

/// The places of a page in its list.
pub(crate) fn places(offset: u64, limit: u64) -> Range<usize> {
    let place = |place| usize::try_from(place).unwrap_or(usize::MAX);
    place(offset)..place(offset.saturating_add(limit))
}

/// One literal, which ClickHouse reads in one go; a list of numbers this large would be an expression each.
fn list(ids: &[u128]) -> String {
    let ids: Vec<String> = ids.iter().map(u128::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn conversation(told: Told, annotation: Option<Annotation>) -> Conversation {
    let (first_message, first_user_id) = told.first_user;
    let user_id = if told.has_user_message {
        first_user_id
    } else {
        told.first_user_id
    };
    let (topics, user_sentiment) = match annotation {
        Some(annotation) => {
            let sentiment = Sentiment::parse(&annotation.user_sentiment);
            (annotation.topics, sentiment.map_or("unknown", Sentiment::as_str))
        }
        None => (Vec::new(), "unknown"),
    };
    Conversation {
        id: Uuid::from_u128(told.conversation_id),
        user_id: if user_id.is_empty() {
            "anonymous".to_owned()
        } else {
            user_id
        },
        first_message,
        message_count: told.message_count,
        model: told.last_model,
        inserted_at: Timestamp::from_millis(told.inserted_at),
        topics,
        user_sentiment,
    }
}

/// Newest `inserted_at` first, then by id.
const ORDER: &str = "ORDER BY bitShiftRight(first, 128) DESC, conversation_id";

/// Which conversations are listed, in SQL.
#[derive(Clone, Copy)]
struct Listing<'a> {
    org: &'a str,
    filter: &'a TranscriptFilter,
    first_day: u16,
    last_day: u16,
}

/// The first and the last day that a `Date` holds, in days since 1970. Messages date from the year 2000 on.
const DAYS: (u16, u16) = (0, u16::MAX);

impl<'a> Listing<'a> {
    /// None where no conversation can match.
    fn new(org: &'a str, filter: &'a TranscriptFilter) -> Option<Self> {
        let day = |day: Day| {
            (day.number() <= i32::from(DAYS.1)).then(|| u16::try_from(day.number()).unwrap_or(DAYS.0))
        };
        let first_day = filter.start.map_or(Some(DAYS.0), day)?;
        let last_day = filter.end.map_or(DAYS.1, |end| {
            if end.number() < 0 {
                DAYS.0
            } else {
                day(end).unwrap_or(DAYS.1)
            }
        });
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

    fn ids(&self, store: &Store) -> Query {
        self.query(store, &format!("{} {ORDER}", self.matching("conversation_id")))
    }

    /// [`Listed`] rows. What matches is counted by the way, so that it is not looked for twice.
    fn page(&self, store: &Store, offset: u64, limit: u64) -> Query {
        let matching = self.matching("conversation_id, count() OVER () AS total");
        let page = format!("{matching} {ORDER} LIMIT {limit} OFFSET {offset}");
        self.query(store, &page)
    }

    /// Selects of the conversations that match.
    fn matching(&self, columns: &str) -> String {
        let conditions = [
            (
                self.filter.mentor.is_some(),
                include_str!("../sql/transcripts_with_mentor.sql"),
            ),
            (
                !self.filter.topics.is_empty(),
                include_str!("../sql/transcripts_with_topics.sql"),
            ),
        ];
        let conditions: String = conditions
            .into_iter()
            .filter_map(|(applies, sql)| applies.then_some(sql))
            .collect();
        // The rows of the message that a conversation began with name its mentor, whatever they are merged with: what has
        // no such row need not be merged.
        let among = match self.filter.mentor {
            Some(_) => include_str!("../sql/perhaps_with_mentor.sql"),
            None => "",
        };
        include_str!("../sql/transcripts.sql")
            .replace("${columns}", columns)
            .replace("${where}", &conditions)
            .replace("${among}", among)
    }

    fn query(&self, store: &Store, sql: &str) -> Query {
        let mut query = store
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
