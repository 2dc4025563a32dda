//! What conversations show, read by their keys.

use std::collections::{HashMap, VecDeque};

use clickhouse::{Row, query::Query};
use events::{Conversation, ConversationMessage, Sentiment, Timestamp};
use futures::{
    StreamExt, TryStreamExt,
    future::try_join,
    stream::{self, BoxStream},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{connection::Connection, error::Error, store::Store};

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

/// The size of the longest text of a message.
#[derive(Debug, Row, Deserialize)]
struct MessageSize {
    message_id: u128,
    bytes: u64,
}

#[derive(Debug, Row, Deserialize)]
struct MessageRow {
    message_id: u128,
    created_at: i64,
    content: String,
    role: String,
    user_id: String,
    mentor_id: String,
    model: String,
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
        let with_sizes = ids
            .into_iter()
            .map(|id| (id, sizes.get(&id).copied().unwrap_or_default()));
        Ok(grouped(with_sizes))
    }

    /// A group of the messages of a conversation, in the order of time.
    async fn messages(
        &self,
        org: &str,
        conversation: Uuid,
        ids: &[u128],
    ) -> Result<Vec<ConversationMessage>, Error> {
        let rows = self
            .about_messages(
                include_str!("../sql/messages_of_conversation.sql"),
                org,
                conversation,
            )
            .bind(id_array_literal(ids));
        let rows = self.rows::<MessageRow>(rows).await?;
        let messages = rows.into_iter().map(|row| ConversationMessage {
            id: Uuid::from_u128(row.message_id),
            role: row.role,
            user_id: row.user_id,
            mentor_id: row.mentor_id,
            content: row.content,
            model: row.model,
            created_at: Timestamp::from_millis(row.created_at),
        });
        Ok(messages.collect())
    }

    fn about_messages(&self, sql: &str, org: &str, conversation: Uuid) -> Query {
        self.query(sql, org)
            .param("messages", self.settings.spread_over_shards("messages"))
            .param("conversation", conversation.as_u128().to_string())
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

impl Store {
    /// The messages of a conversation, in the order of time, in chunks of bounded size; of several records of a message the
    /// latest. No chunk: there is no such conversation.
    pub fn messages(
        &self,
        org: &str,
        conversation: Uuid,
    ) -> BoxStream<'static, Result<Vec<ConversationMessage>, Error>> {
        let (clickhouse, org) = (Connection::clone(&self.clickhouse), org.to_owned());
        let groups = async move {
            let sizes =
                clickhouse.about_messages(include_str!("../sql/message_sizes.sql"), &org, conversation);
            let sizes = clickhouse.rows::<MessageSize>(sizes).await?;
            let groups = grouped(sizes.into_iter().map(|size| (size.message_id, size.bytes)));
            let chunks = stream::iter(groups.into_iter().map(Ok)).and_then(move |ids| {
                let (clickhouse, org) = (clickhouse.clone(), org.clone());
                async move { clickhouse.messages(&org, conversation, &ids).await }
            });
            Ok::<_, Error>(chunks)
        };
        stream::once(groups).try_flatten().boxed()
    }
}

/// Items with their sizes in bytes, in groups of [`CHUNK`] and [`CHUNK_BYTES`] at most, unless one is larger.
fn grouped(items: impl Iterator<Item = (u128, u64)>) -> VecDeque<Vec<u128>> {
    let (mut groups, mut group, mut bytes) = (VecDeque::new(), Vec::new(), 0);
    for (id, size) in items {
        if (bytes + size > CHUNK_BYTES && !group.is_empty()) || group.len() == CHUNK {
            groups.push_back(std::mem::take(&mut group));
            bytes = 0;
        }
        group.push(id);
        bytes += size;
    }
    if !group.is_empty() {
        groups.push_back(group);
    }
    groups
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
