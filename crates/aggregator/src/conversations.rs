//! What conversations show, read by their keys.

use std::collections::{HashMap, VecDeque};

use clickhouse::Row;
use events::{Conversation, Sentiment, Timestamp};
use futures::future::try_join;
use serde::Deserialize;
use uuid::Uuid;

use crate::{connection::Connection, error::Error};

/// The number of conversations that are read at once. A statement that names their ids, of 39 digits at most, stays within
/// ClickHouse's default `http_max_field_value_size` of 128 KiB.
pub(crate) const CHUNK: usize = 3_000;

/// The most text that a chunk of a list holds, in bytes, unless it is of a single conversation.
const CHUNK_BYTES: u64 = 4 << 20;

/// The size of the longest text of a conversation.
#[derive(Debug, Row, Deserialize)]
struct TextSize {
    conversation_id: u128,
    bytes: u64,
}

/// What a conversation shows of its messages.
#[derive(Debug, Row, Deserialize)]
struct DetailsRow {
    conversation_id: u128,
    inserted_at: i64,
    message_count: u64,
    has_user_message: bool,
    first_user: (String, String),
    first: (String, String),
    last_model: String,
}

#[derive(Debug, Row, Deserialize)]
struct AnnotationRow {
    conversation_id: u128,
    user_sentiment: String,
    topics: Vec<String>,
    has_topic: bool,
}

/// A conversation, and what decides whether it is listed.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) conversation: Conversation,
    /// The mentor of its earliest message.
    pub(crate) mentor: String,
    /// Whether it has one of the topics of the list.
    pub(crate) has_topic: bool,
}

impl Connection {
    /// These conversations, at most [`CHUNK`], in groups that have [`CHUNK_BYTES`] of text at most.
    pub(crate) async fn by_size(&self, org: &str, ids: Vec<u128>) -> Result<VecDeque<Vec<u128>>, Error> {
        let sizes = self
            .query(include_str!("../sql/text_sizes.sql"), org)
            .bind(id_array_literal(&ids));
        let sizes = self.rows::<TextSize>(sizes).await?;
        let sizes: HashMap<_, _> = sizes
            .into_iter()
            .map(|size| (size.conversation_id, size.bytes))
            .collect();
        let (mut groups, mut group, mut bytes) = (VecDeque::new(), Vec::new(), 0);
        for id in ids {
            let size = sizes.get(&id).copied().unwrap_or_default();
            if bytes + size > CHUNK_BYTES && !group.is_empty() {
                groups.push_back(std::mem::take(&mut group));
                bytes = 0;
            }
            group.push(id);
            bytes += size;
        }
        if !group.is_empty() {
            groups.push_back(group);
        }
        Ok(groups)
    }

    /// The details of conversations, at most [`CHUNK`]; none where they are more than [`CHUNK_BYTES`].
    pub(crate) async fn chunk(
        &self,
        org: &str,
        topics: &[String],
        ids: &[u128],
    ) -> Result<Option<Vec<Details>>, Error> {
        match self.details(org, topics, ids, CHUNK_BYTES).await {
            // TOO_MANY_ROWS_OR_BYTES, MEMORY_LIMIT_EXCEEDED
            Err(error) if matches!(error.code(), Some(396 | 241)) => Ok(None),
            details => details.map(Some),
        }
    }

    /// The details of a group of conversations.
    pub(crate) async fn group(
        &self,
        org: &str,
        topics: &[String],
        ids: &[u128],
    ) -> Result<Vec<Details>, Error> {
        self.details(org, topics, ids, 0).await
    }

    /// The details of conversations, with so many bytes at most; 0: however many.
    async fn details(
        &self,
        org: &str,
        topics: &[String],
        ids: &[u128],
        max_bytes: u64,
    ) -> Result<Vec<Details>, Error> {
        let statement = |sql, ids: &[u128]| {
            self.query(sql, org)
                .with_setting("max_result_bytes", max_bytes.to_string())
                .param("messages", self.settings.spread_over_shards("messages"))
                .param(
                    "annotations",
                    self.settings.spread_over_shards("latest_annotations"),
                )
                .param("topics", topics)
                .bind(id_array_literal(ids))
        };
        let details = async |ids: &[u128]| {
            let rows = statement(include_str!("../sql/conversation_details.sql"), ids);
            self.rows::<DetailsRow>(rows).await
        };
        let annotations = async {
            let rows = statement(include_str!("../sql/latest_annotations.sql"), ids);
            self.rows::<AnnotationRow>(rows).await
        };
        let (details, annotations) = if topics.is_empty() {
            try_join(details(ids), annotations).await?
        } else {
            // A topic that many had once may have few left.
            let annotations = annotations.await?;
            let on_topic = annotations.iter().filter(|annotation| annotation.has_topic);
            let on_topic: Vec<_> = on_topic.map(|annotation| annotation.conversation_id).collect();
            (details(&on_topic).await?, annotations)
        };
        let mut annotations: HashMap<_, _> = annotations
            .into_iter()
            .map(|row| (row.conversation_id, row))
            .collect();
        let details = details.into_iter().map(|row| {
            let annotation = annotations.remove(&row.conversation_id);
            row.with(annotation)
        });
        Ok(details.collect())
    }
}

/// A condition that a conversation is one of these.
pub(crate) fn is_among(conversations: &str) -> String {
    format!("conversation_id IN ({conversations})")
}

/// Selects when conversations began that meet a condition.
pub(crate) fn beginnings(condition: &str) -> String {
    include_str!("../sql/beginnings.sql").replace("${condition}", condition)
}

/// One literal, which ClickHouse reads at once; in a list of numbers this large each would be an expression.
pub(crate) fn id_array_literal(ids: &[u128]) -> String {
    let ids: Vec<String> = ids.iter().map(u128::to_string).collect();
    format!("[{}]", ids.join(","))
}

impl DetailsRow {
    fn with(self, annotation: Option<AnnotationRow>) -> Details {
        let (first_message, first_user_id) = self.first_user;
        let (user_id, mentor) = self.first;
        let user_id = if self.has_user_message {
            first_user_id
        } else {
            user_id
        };
        let (topics, user_sentiment, has_topic) = match annotation {
            Some(annotation) => {
                let sentiment = annotation.user_sentiment.parse::<Sentiment>();
                let sentiment = sentiment.map_or("unknown", Sentiment::as_str);
                (annotation.topics, sentiment, annotation.has_topic)
            }
            None => (Vec::new(), "unknown", false),
        };
        Details {
            conversation: Conversation {
                id: Uuid::from_u128(self.conversation_id),
                user_id: if user_id.is_empty() {
                    "anonymous".to_owned()
                } else {
                    user_id
                },
                first_message,
                message_count: self.message_count,
                model: self.last_model,
                inserted_at: Timestamp::from_millis(self.inserted_at),
                topics,
                user_sentiment,
            },
            mentor,
            has_topic,
        }
    }
}
