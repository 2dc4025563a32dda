//! The records of messages, as they are stored: page by page, in the order of the table.

use std::collections::HashSet;

use clickhouse::{Row, query::Query};
use events::{MessageFilter, MessageRecord, Timestamp};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{connection::Connection, error::Error, messages::digest, store::Store};

/// How much makes a page, in bytes: its last record may take more.
const PAGE_BYTES: usize = 8 << 20;
/// About how much ClickHouse makes at once, in bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// How many rows that are at first, at least and at most.
const BLOCK_ROWS: (usize, usize, usize) = (256, 16, 4_096);

/// Records of messages in chunks of bounded size.
pub type MessageRecords = BoxStream<'static, Result<Vec<MessageRecord>, Error>>;

#[derive(Debug, Row, Deserialize)]
struct RecordRow {
    conversation_id: u128,
    at: i64,
    message_id: u128,
    digest: u128,
    role: String,
    user_id: String,
    mentor_id: String,
    content: String,
    model: String,
}

/// A place in the order of the table.
#[derive(Debug, Clone, Copy)]
struct TableKey {
    conversation_id: u128,
    /// In milliseconds since 1970.
    at: i64,
    message_id: u128,
    digest: u128,
}

impl TableKey {
    /// Before all messages, which date from the year 2000 on.
    const START: Self = Self {
        conversation_id: 0,
        at: 0,
        message_id: 0,
        digest: 0,
    };
}

impl Store {
    /// The records of messages that match: by conversation, time and message. Each that differs from all others is there once,
    /// also while more are inserted.
    ///
    /// Each page is asked for by where the one before ended, of a ClickHouse that is waited for: nothing is held open there
    /// while nobody reads.
    pub fn message_records(&self, org: &str, filter: &MessageFilter) -> MessageRecords {
        let reading = Reading {
            clickhouse: self.clickhouse.patient().unhurried(),
            org: org.to_owned(),
            filter: filter.clone(),
            after: TableKey::START,
            block_rows: BLOCK_ROWS.0,
            told_apart: ToldApart::default(),
        };
        let pages = stream::try_unfold(reading, async |mut reading| {
            let page = reading.next().await?;
            Ok(page.map(|page| (page, reading)))
        });
        pages.boxed()
    }
}

/// Records that are being read.
#[derive(Debug)]
struct Reading {
    clickhouse: Connection,
    org: String,
    filter: MessageFilter,
    after: TableKey,
    /// How many rows ClickHouse makes at once.
    block_rows: usize,
    told_apart: ToldApart,
}

impl Reading {
    /// The next page; none where there are no more.
    async fn next(&mut self) -> Result<Option<Vec<MessageRecord>>, Error> {
        let rows = self
            .clickhouse
            .first_rows(self.page(), RecordRow::bytes, PAGE_BYTES)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        self.after = last.key();
        let bytes: usize = rows.iter().map(RecordRow::bytes).sum();
        let (_, fewest, most) = BLOCK_ROWS;
        self.block_rows = (rows.len() * BLOCK_BYTES / bytes.max(1)).clamp(fewest, most);
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            if self.told_apart.is_new(&row) {
                records.push(row.into());
            }
        }
        Ok(Some(records))
    }

    /// The question for the next page. ClickHouse ends with the block that makes it large enough.
    fn page(&self) -> Query {
        let Self {
            clickhouse,
            filter,
            after,
            block_rows,
            ..
        } = self;
        let start = filter
            .start
            .map_or(i64::MIN, |day| Timestamp::start_of(day).as_millis());
        let end = filter
            .end
            .map_or(i64::MAX, |day| Timestamp::end_of(day).as_millis());
        clickhouse
            .query(include_str!("../sql/message_records.sql"), &self.org)
            .param("messages", clickhouse.settings.spread_over_shards("messages"))
            .param("mentor", filter.mentor.as_deref().unwrap_or_default())
            .param("start", start)
            .param("end", end)
            .param("conversation", after.conversation_id.to_string())
            .param("after", after.at)
            .param("message", after.message_id.to_string())
            .param("digest", after.digest.to_string())
            .with_setting("max_block_size", block_rows.to_string())
            .with_setting("max_result_bytes", PAGE_BYTES.to_string())
            .with_setting("result_overflow_mode", "break")
    }
}

/// Tells records of a message apart by what they hold. Their digests alone may say that they differ where they do not: an insert
/// by hand has another kind of digest than a batch.
#[derive(Debug, Default)]
struct ToldApart {
    /// The conversation, instant and message that the hashes are of.
    of: Option<(u128, i64, u128)>,
    hashes: HashSet<u128>,
    hashed: Vec<u8>,
}

impl ToldApart {
    /// Whether no row was the same, of those that are in the order of the table.
    fn is_new(&mut self, row: &RecordRow) -> bool {
        let of = Some((row.conversation_id, row.at, row.message_id));
        if self.of != of {
            self.of = of;
            self.hashes.clear();
        }
        let names = [&row.user_id, &row.mentor_id, &row.model].map(String::as_str);
        self.hashes
            .insert(digest(&mut self.hashed, &row.role, names, &row.content))
    }
}

impl RecordRow {
    /// What it takes, in bytes.
    const fn bytes(&self) -> usize {
        let texts = self.content.len() + self.user_id.len() + self.mentor_id.len() + self.model.len();
        size_of::<Self>() + texts
    }

    const fn key(&self) -> TableKey {
        TableKey {
            conversation_id: self.conversation_id,
            at: self.at,
            message_id: self.message_id,
            digest: self.digest,
        }
    }
}

impl From<RecordRow> for MessageRecord {
    fn from(row: RecordRow) -> Self {
        Self {
            message_id: Uuid::from_u128(row.message_id),
            conversation_id: Uuid::from_u128(row.conversation_id),
            time: Timestamp::from_millis(row.at),
            role: row.role,
            user_id: row.user_id,
            mentor_id: row.mentor_id,
            content: row.content,
            model: row.model,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(message_id: u128, digest: u128, content: &str) -> RecordRow {
        RecordRow {
            conversation_id: 1,
            at: 2,
            message_id,
            digest,
            role: "user".to_owned(),
            user_id: "ada".to_owned(),
            mentor_id: String::new(),
            content: content.to_owned(),
            model: String::new(),
        }
    }

    #[test]
    fn records_that_hold_the_same_are_one_whatever_their_digests() {
        let mut told_apart = ToldApart::default();
        for (row, is_new) in [
            (row(1, 10, "hello"), true),
            (row(1, 11, "hello, again"), true),
            (row(1, 12, "hello"), false),
            (row(2, 12, "hello"), true),
            (row(2, 13, "hello"), false),
        ] {
            assert_eq!(told_apart.is_new(&row), is_new, "{row:?}");
        }
    }
}
