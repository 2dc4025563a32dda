//! What conversations show, read by their keys.

use std::collections::HashMap;

use clickhouse::Row;
use events::{Conversation, Sentiment, Timestamp};
use futures::{
    TryStreamExt,
    future::try_join,
    stream::{self, StreamExt},
};
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
    first_user_id: String,
    last_model: String,
}

#[derive(Debug, Row, Deserialize)]
struct AnnotationRow {
    conversation_id: u128,
    user_sentiment: String,
    topics: Vec<String>,
}

impl Connection {
    /// These conversations, at most [`CHUNK`], in groups that have [`CHUNK_BYTES`] of text at most.
    pub(crate) async fn by_size(&self, org: &str, ids: Vec<u128>) -> Result<Vec<Vec<u128>>, Error> {
        let sizes = self
            .query(include_str!("../sql/text_sizes.sql"), org)
            .bind(id_array_literal(&ids))
            .fetch_all::<TextSize>();
        let sizes = self.run(sizes).await?;
        let sizes: HashMap<_, _> = sizes
            .into_iter()
            .map(|size| (size.conversation_id, size.bytes))
            .collect();
        let (mut groups, mut group, mut bytes) = (Vec::new(), Vec::new(), 0);
        for id in ids {
            let size = sizes.get(&id).copied().unwrap_or_default();
            if bytes + size > CHUNK_BYTES && !group.is_empty() {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            group.push(id);
            bytes += size;
        }
        if !group.is_empty() {
            groups.push(group);
        }
        Ok(groups)
    }

    /// What the conversations of these ids show, in the order of the ids.
    pub(crate) async fn conversations(&self, org: &str, ids: &[u128]) -> Result<Vec<Conversation>, Error> {
        /// What is read by key is mostly waited for: a page is read in so many statements at once.
        const STATEMENTS: usize = 4;
        let size = ids.len().div_ceil(STATEMENTS).clamp(1, CHUNK);
        // Owned chunks: a future that borrows from an iterator over borrowed chunks is not `Send` to the compiler.
        let chunks: Vec<_> = ids.chunks(size).map(<[u128]>::to_vec).collect();
        let reads = chunks.into_iter().map(|ids| self.chunk(org, ids));
        stream::iter(reads).buffered(STATEMENTS).try_concat().await
    }

    /// The same of at most [`CHUNK`].
    pub(crate) async fn chunk(&self, org: &str, ids: Vec<u128>) -> Result<Vec<Conversation>, Error> {
        let list = id_array_literal(&ids);
        let by_ids = |statement| self.query(statement, org).bind(&list);
        let (details, annotations) = try_join(
            self.run(by_ids(include_str!("../sql/conversation_details.sql")).fetch_all::<DetailsRow>()),
            self.run(by_ids(include_str!("../sql/latest_annotations.sql")).fetch_all::<AnnotationRow>()),
        )
        .await?;
        let mut details: HashMap<_, _> = details
            .into_iter()
            .map(|row| (row.conversation_id, row))
            .collect();
        let mut annotations: HashMap<_, _> = annotations
            .into_iter()
            .map(|row| (row.conversation_id, row))
            .collect();
        Ok(ids
            .iter()
            .filter_map(|id| {
                let annotation = annotations.remove(id);
                details
                    .remove(id)
                    .map(|details| conversation(details, annotation))
            })
            .collect())
    }
}

/// One literal, which ClickHouse reads at once; in a list of numbers this large each would be an expression.
pub(crate) fn id_array_literal(ids: &[u128]) -> String {
    let ids: Vec<String> = ids.iter().map(u128::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn conversation(details: DetailsRow, annotation: Option<AnnotationRow>) -> Conversation {
    let (first_message, first_user_id) = details.first_user;
    let user_id = if details.has_user_message {
        first_user_id
    } else {
        details.first_user_id
    };
    let (topics, user_sentiment) = match annotation {
        Some(annotation) => {
            let sentiment = annotation.user_sentiment.parse::<Sentiment>();
            (annotation.topics, sentiment.map_or("unknown", Sentiment::as_str))
        }
        None => (Vec::new(), "unknown"),
    };
    Conversation {
        id: Uuid::from_u128(details.conversation_id),
        user_id: if user_id.is_empty() {
            "anonymous".to_owned()
        } else {
            user_id
        },
        first_message,
        message_count: details.message_count,
        model: details.last_model,
        inserted_at: Timestamp::from_millis(details.inserted_at),
        topics,
        user_sentiment,
    }
}
