//! Conversations, listed: `transcripts`.
//!
//! The rollup of conversations tells which there are and in what order. What a listed one shows is then read by
//! key, a chunk at a time: its counts, its annotation, and its texts from the messages that the rollup names.

use std::collections::HashMap;

use chrono::NaiveDate;
use clickhouse::{Row, query::Query};
use events::{Conversation, Timestamp, TranscriptFilter};
use futures::{
    StreamExt, TryStreamExt,
    future::{try_join, try_join3},
    stream::{self, BoxStream},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{Error, Store};

/// How many conversations are read at once. Their ids, of 39 digits at most, stay within ClickHouse's default
/// `max_query_size` of 256 KiB.
const CHUNK: usize = 5_000;

/// A page of conversations.
#[derive(Debug, PartialEq, Eq)]
pub struct TranscriptPage {
    /// How many conversations match the filter, on all pages.
    pub total: u64,
    /// Those of this page.
    pub conversations: Vec<Conversation>,
}

#[derive(Debug, Row, Deserialize)]
struct Counts {
    conversation_id: u128,
    inserted_at: i64,
    message_count: u64,
}

#[derive(Debug, Row, Deserialize)]
struct Annotation {
    conversation_id: u128,
    user_sentiment: String,
    topics: Vec<String>,
}

#[derive(Debug, Row, Deserialize)]
struct Texts {
    conversation_id: u128,
    has_user_message: bool,
    first_user: (String, String),
    first_user_id: String,
    last_model: String,
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
        let ids = async {
            let page = format!("LIMIT {limit} OFFSET {offset}");
            let ids = self.run(listing.ids(self, &page).fetch_all::<u128>()).await?;
            // Owned chunks: a future that borrows from an iterator over borrowed chunks is not `Send` to the compiler.
            let chunks: Vec<_> = ids.chunks(CHUNK).map(<[u128]>::to_vec).collect();
            let reads = chunks.into_iter().map(|ids| self.conversations(org, ids));
            stream::iter(reads).buffered(2).try_concat().await
        };
        let total = self.run(listing.count(self).fetch_one::<u64>());
        let (conversations, total) = try_join(ids, total).await?;
        Ok(TranscriptPage { total, conversations })
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
        let ids = listing.ids(self, "").fetch::<u128>();
        let ids = stream::once(async { Ok::<_, Error>(ids?) }).map_ok(|cursor| {
            stream::try_unfold(cursor, |mut cursor| async move {
                Ok(cursor.next().await?.map(|id| (id, cursor)))
            })
        });
        ids.try_flatten()
            .try_chunks(CHUNK)
            .map_err(|error| error.1)
            .map_ok(move |ids| {
                let (store, org) = (store.clone(), org.clone());
                async move { store.conversations(&org, ids).await }
            })
            .try_buffered(2)
            .boxed()
    }

    /// What the conversations of these ids show, in the order of the ids.
    async fn conversations(&self, org: &str, ids: Vec<u128>) -> Result<Vec<Conversation>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // One literal, which ClickHouse reads in one go; a list of numbers this large would be an expression each.
        let list: Vec<String> = ids.iter().map(u128::to_string).collect();
        let list = format!("[{}]", list.join(","));
        let by_ids = |statement| self.query(statement, org).bind(&list);
        let (counts, annotations, texts) = try_join3(
            self.run(by_ids(include_str!("../sql/conversation_counts.sql")).fetch_all::<Counts>()),
            self.run(by_ids(include_str!("../sql/conversation_annotations.sql")).fetch_all::<Annotation>()),
            self.run(by_ids(include_str!("../sql/conversation_texts.sql")).fetch_all::<Texts>()),
        )
        .await?;
        let mut counts: HashMap<_, _> = counts.into_iter().map(|c| (c.conversation_id, c)).collect();
        let mut annotations: HashMap<_, _> =
            annotations.into_iter().map(|a| (a.conversation_id, a)).collect();
        let mut texts: HashMap<_, _> = texts.into_iter().map(|t| (t.conversation_id, t)).collect();
        Ok(ids
            .iter()
            .filter_map(|id| {
                Some(conversation(
                    counts.remove(id)?,
                    texts.remove(id)?,
                    annotations.remove(id),
                ))
            })
            .collect())
    }
}

fn conversation(counts: Counts, texts: Texts, annotation: Option<Annotation>) -> Conversation {
    let (first_message, first_user_id) = texts.first_user;
    let user_id = if texts.has_user_message {
        first_user_id
    } else {
        texts.first_user_id
    };
    let (topics, user_sentiment) = match annotation {
        Some(annotation) => (annotation.topics, sentiment(&annotation.user_sentiment)),
        None => (Vec::new(), "unknown"),
    };
    Conversation {
        id: Uuid::from_u128(counts.conversation_id),
        user_id: if user_id.is_empty() {
            "anonymous".to_owned()
        } else {
            user_id
        },
        first_message,
        message_count: counts.message_count,
        model: texts.last_model,
        inserted_at: Timestamp::from_millis(counts.inserted_at),
        topics,
        user_sentiment,
    }
}

fn sentiment(stored: &str) -> &'static str {
    use events::Sentiment::{Negative, Neutral, Positive};
    [Positive, Negative, Neutral]
        .map(events::Sentiment::as_str)
        .into_iter()
        .find(|s| *s == stored)
        .unwrap_or("unknown")
}

/// Which conversations are listed, in SQL.
struct Listing<'a> {
    org: &'a str,
    filter: &'a TranscriptFilter,
    /// Gives the columns `conversation_id` and `began` of those that match.
    matching: String,
    first_day: u16,
    last_day: u16,
}

impl<'a> Listing<'a> {
    /// None where no conversation can match.
    fn new(org: &'a str, filter: &'a TranscriptFilter) -> Option<Self> {
        // Messages date from the year 2000 on, and a Date ends in the year 2149.
        let (least, greatest) = (NaiveDate::default(), NaiveDate::from_ymd_opt(2149, 6, 6)?);
        let start = filter.start.unwrap_or(least).max(least);
        let end = filter.end.unwrap_or(greatest).min(greatest);
        if start > end {
            return None;
        }
        let conditions = [
            (start > least, include_str!("../sql/transcripts_began_since.sql")),
            (end < greatest, include_str!("../sql/transcripts_began_until.sql")),
            (
                filter.mentor.is_some(),
                include_str!("../sql/transcripts_with_mentor.sql"),
            ),
            (
                !filter.topics.is_empty(),
                include_str!("../sql/transcripts_with_topics.sql"),
            ),
        ];
        let conditions: String = conditions
            .into_iter()
            .filter_map(|(applies, sql)| applies.then_some(sql))
            .collect();
        let day = |day: NaiveDate| u16::try_from((day - least).num_days()).ok();
        Some(Self {
            org,
            filter,
            matching: include_str!("../sql/transcripts.sql").replace("${where}", &conditions),
            first_day: day(start)?,
            last_day: day(end)?,
        })
    }

    fn ids(&self, store: &Store, page: &str) -> Query {
        let order = format!("ORDER BY bitShiftRight(began, 128) DESC, conversation_id {page}");
        self.query(
            store,
            &format!("SELECT conversation_id FROM ({}) {order}", self.matching),
        )
    }

    fn count(&self, store: &Store) -> Query {
        self.query(store, &format!("SELECT count() FROM ({})", self.matching))
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
