//! Conversations, listed: `transcripts`.
//!
//! The rollup of conversations tells which there are and in what order. What a listed one shows is then read by
//! key, a chunk at a time: its counts, its annotation, and its texts from the messages that the rollup names.

use std::collections::HashMap;

use chrono::NaiveDate;
use clickhouse::{Row, query::Query};
use events::{Conversation, Sentiment, Timestamp, TranscriptFilter};
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

/// How many times as many days are looked at for a page when those so far did not fill it.
const WIDEN: u32 = 16;

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
            let ids = self.page_ids(&listing, offset, limit).await?;
            // Owned chunks: a future that borrows from an iterator over borrowed chunks is not `Send` to the compiler.
            let chunks: Vec<_> = ids.chunks(CHUNK).map(<[u128]>::to_vec).collect();
            let reads = chunks.into_iter().map(|ids| self.conversations(org, ids));
            stream::iter(reads).buffered(2).try_concat().await
        };
        let total = self.run(listing.count(self).fetch_one::<u64>());
        let (conversations, total) = try_join(ids, total).await?;
        Ok(TranscriptPage { total, conversations })
    }

    /// The ids of a page. The latest conversations are looked for in the latest days first, and in more of them
    /// while they do not fill the page.
    async fn page_ids(&self, listing: &Listing<'_>, offset: u64, limit: u64) -> Result<Vec<u128>, Error> {
        let latest_day = self
            .query(include_str!("../sql/latest_day.sql"), listing.org)
            .param("last_day", listing.last_day);
        let latest_day = self.run(latest_day.fetch_one::<u16>()).await?;
        if latest_day < listing.first_day {
            return Ok(Vec::new());
        }
        let listing = Listing {
            last_day: latest_day,
            ..*listing
        };
        let page = format!("LIMIT {limit} OFFSET {offset}");
        let days = u32::from(latest_day - listing.first_day) + 1;
        let mut window = 1_u32;
        loop {
            let narrowed = listing.latest_days(window);
            let ids = self.run(narrowed.ids(self, &page).fetch_all::<u128>()).await?;
            if window >= days || u64::try_from(ids.len()).is_ok_and(|found| found == limit) {
                return Ok(ids);
            }
            window = window.saturating_mul(WIDEN);
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
        let ids = listing.ids(self, "").fetch::<u128>();
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
                    &counts.remove(id)?,
                    texts.remove(id)?,
                    annotations.remove(id),
                ))
            })
            .collect())
    }
}

fn conversation(counts: &Counts, texts: Texts, annotation: Option<Annotation>) -> Conversation {
    let (first_message, first_user_id) = texts.first_user;
    let user_id = if texts.has_user_message {
        first_user_id
    } else {
        texts.first_user_id
    };
    let (topics, user_sentiment) = match annotation {
        Some(annotation) => {
            let sentiment = Sentiment::parse(&annotation.user_sentiment);
            (annotation.topics, sentiment.map_or("unknown", Sentiment::as_str))
        }
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

/// Which conversations are listed, in SQL.
#[derive(Clone, Copy)]
struct Listing<'a> {
    org: &'a str,
    filter: &'a TranscriptFilter,
    first_day: u16,
    last_day: u16,
    /// Whether its days are few beside those before them.
    narrowed: bool,
}

/// The first and the last day that a `Date` holds, in days since 1970. Messages date from the year 2000 on.
const DAYS: (u16, u16) = (0, u16::MAX);

impl<'a> Listing<'a> {
    /// None where no conversation can match.
    fn new(org: &'a str, filter: &'a TranscriptFilter) -> Option<Self> {
        let day = |day: NaiveDate| {
            let days = (day - NaiveDate::default()).num_days();
            (days <= i64::from(DAYS.1)).then(|| u16::try_from(days).unwrap_or(DAYS.0))
        };
        let first_day = filter.start.map_or(Some(DAYS.0), day)?;
        let last_day = filter.end.map_or(DAYS.1, |end| {
            if end < NaiveDate::default() {
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
            narrowed: false,
        })
    }

    /// The same listing, of conversations that began in its latest days alone.
    fn latest_days(self, days: u32) -> Self {
        let earlier = u16::try_from(days - 1).unwrap_or(u16::MAX);
        let first_day = self.last_day.saturating_sub(earlier);
        if first_day <= self.first_day {
            return self;
        }
        Self {
            first_day,
            narrowed: true,
            ..self
        }
    }

    fn ids(&self, store: &Store, page: &str) -> Query {
        let matching = self.matching("conversation_id, min(first) AS began", "GROUP BY conversation_id");
        let order = format!("ORDER BY bitShiftRight(began, 128) DESC, conversation_id {page}");
        self.query(
            store,
            &format!("SELECT conversation_id FROM ({matching}) {order}"),
        )
    }

    fn count(&self, store: &Store) -> Query {
        self.query(store, &self.matching("uniqExact(conversation_id)", ""))
    }

    /// Selects of the days of conversations that match.
    fn matching(&self, columns: &str, group: &str) -> String {
        let conditions = [
            (
                self.first_day > DAYS.0,
                include_str!("../sql/transcripts_began_since.sql"),
            ),
            (
                self.last_day < DAYS.1,
                include_str!("../sql/transcripts_began_until.sql"),
            ),
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
        include_str!("../sql/transcripts.sql")
            .replace("${columns}", columns)
            .replace("${where}", &conditions)
            .replace(
                "${among}",
                if self.narrowed {
                    include_str!("../sql/transcripts_among_days.sql")
                } else {
                    ""
                },
            )
            .replace("${group}", group)
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
