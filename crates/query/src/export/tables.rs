//! What is exported, as tables: how each form writes their rows.

use std::borrow::Cow;

use events::{CohortCount, Conversation, DateRange, Grain, MessageRecord, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    csv,
    dto::{self, CohortPeriod, MessageRecordModel, Transcript, UsageCount},
};

/// A table.
pub(super) trait Table: Send + 'static {
    /// A row of it.
    type Row: Send + 'static;

    /// What a CSV file begins with, unless its rows do so themselves.
    fn csv_header(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Rows as CSV.
    fn csv(&self, rows: &[Self::Row]) -> Vec<u8>;

    /// Rows as a JSON object a line.
    fn json_lines(&self, rows: &[Self::Row]) -> Vec<u8>;

    /// The schema of a Parquet file, as Parquet writes it.
    fn schema(&self) -> String;

    /// Rows as columns, in the order of the schema.
    fn columns<'a>(&self, rows: &'a [Self::Row]) -> Vec<Column<'a>>;

    /// What the texts of a row take, in bytes.
    fn text_bytes(row: &Self::Row) -> usize;
}

/// The values of a column.
pub(super) enum Column<'a> {
    Texts(Vec<Cow<'a, str>>),
    Lists(Vec<&'a [String]>),
    /// Counts, or milliseconds since 1970.
    Numbers(Vec<i64>),
    /// Days since 1970.
    Days(Vec<i32>),
}

/// Active users: a row for each period, all of them at once.
pub(super) struct Usage {
    pub(super) range: DateRange,
    pub(super) grain: Grain,
}

/// New and veteran users: a row for each period, all of them at once.
pub(super) struct Cohorts;

/// Conversations.
pub(super) struct Transcripts;

/// Records of messages.
pub(super) struct Messages;

impl Table for Usage {
    type Row = UsageCount;

    fn csv(&self, rows: &[UsageCount]) -> Vec<u8> {
        csv::usage(rows)
    }

    fn json_lines(&self, rows: &[UsageCount]) -> Vec<u8> {
        lines(rows)
    }

    fn schema(&self) -> String {
        let date = match self.grain {
            Grain::Hour => "INT64 date (TIMESTAMP(MILLIS, true))",
            Grain::Day | Grain::Week | Grain::Month => "INT32 date (DATE)",
        };
        format!("message usage {{ REQUIRED {date}; REQUIRED INT64 user_count; }}")
    }

    fn columns<'a>(&self, rows: &'a [UsageCount]) -> Vec<Column<'a>> {
        let starts = self.range.periods(self.grain).map(|period| period.start);
        let dates = match self.grain {
            Grain::Hour => Column::Numbers(starts.map(Timestamp::as_millis).collect()),
            Grain::Day | Grain::Week | Grain::Month => {
                Column::Days(starts.map(|start| start.day().number()).collect())
            }
        };
        vec![dates, counts(rows.iter().map(|row| row.user_count))]
    }

    fn text_bytes(_: &UsageCount) -> usize {
        0
    }
}

impl Table for Cohorts {
    type Row = CohortCount;

    fn csv(&self, rows: &[CohortCount]) -> Vec<u8> {
        csv::cohorts(&dto::Cohorts::from(rows))
    }

    fn json_lines(&self, rows: &[CohortCount]) -> Vec<u8> {
        lines(rows.iter().map(CohortPeriod::from))
    }

    fn schema(&self) -> String {
        "message cohorts {
            REQUIRED INT64 periods (TIMESTAMP(MILLIS, true));
            REQUIRED INT64 new_users;
            REQUIRED INT64 veteran_users;
        }"
        .to_owned()
    }

    fn columns<'a>(&self, rows: &'a [CohortCount]) -> Vec<Column<'a>> {
        vec![
            instants(rows.iter().map(|row| row.period.start)),
            counts(rows.iter().map(|row| row.new_users)),
            counts(rows.iter().map(|row| row.veteran_users)),
        ]
    }

    fn text_bytes(_: &CohortCount) -> usize {
        0
    }
}

impl Table for Transcripts {
    type Row = Conversation;

    fn csv_header(&self) -> Vec<u8> {
        csv::conversation_header()
    }

    fn csv(&self, rows: &[Conversation]) -> Vec<u8> {
        csv::conversations(rows)
    }

    fn json_lines(&self, rows: &[Conversation]) -> Vec<u8> {
        lines(rows.iter().map(Transcript::from))
    }

    fn schema(&self) -> String {
        "message transcripts {
            REQUIRED BYTE_ARRAY id (STRING);
            REQUIRED INT64 inserted_at (TIMESTAMP(MILLIS, true));
            REQUIRED BYTE_ARRAY user_id (STRING);
            REQUIRED BYTE_ARRAY first_message (STRING);
            REQUIRED INT64 message_count;
            REQUIRED BYTE_ARRAY model (STRING);
            REQUIRED GROUP topics (LIST) { REPEATED GROUP list { REQUIRED BYTE_ARRAY element (STRING); } }
            REQUIRED BYTE_ARRAY user_sentiment (STRING);
        }"
        .to_owned()
    }

    fn columns<'a>(&self, rows: &'a [Conversation]) -> Vec<Column<'a>> {
        vec![
            ids(rows.iter().map(|row| row.id)),
            instants(rows.iter().map(|row| row.inserted_at)),
            texts(rows, |row| &row.user_id),
            texts(rows, |row| &row.first_message),
            counts(rows.iter().map(|row| row.message_count)),
            texts(rows, |row| &row.model),
            Column::Lists(rows.iter().map(|row| row.topics.as_slice()).collect()),
            texts(rows, |row| row.user_sentiment),
        ]
    }

    fn text_bytes(row: &Conversation) -> usize {
        let topics = row.topics.iter().map(String::len);
        row.first_message.len() + row.user_id.len() + topics.sum::<usize>()
    }
}

impl Table for Messages {
    type Row = MessageRecord;

    fn csv_header(&self) -> Vec<u8> {
        csv::message_record_header()
    }

    fn csv(&self, rows: &[MessageRecord]) -> Vec<u8> {
        csv::message_records(rows)
    }

    fn json_lines(&self, rows: &[MessageRecord]) -> Vec<u8> {
        lines(rows.iter().map(MessageRecordModel::from))
    }

    fn schema(&self) -> String {
        "message messages {
            REQUIRED BYTE_ARRAY message_id (STRING);
            REQUIRED BYTE_ARRAY conversation_id (STRING);
            REQUIRED INT64 time (TIMESTAMP(MILLIS, true));
            REQUIRED BYTE_ARRAY role (STRING);
            REQUIRED BYTE_ARRAY user_id (STRING);
            REQUIRED BYTE_ARRAY mentor_id (STRING);
            REQUIRED BYTE_ARRAY content (STRING);
            REQUIRED BYTE_ARRAY model (STRING);
        }"
        .to_owned()
    }

    fn columns<'a>(&self, rows: &'a [MessageRecord]) -> Vec<Column<'a>> {
        vec![
            ids(rows.iter().map(|row| row.message_id)),
            ids(rows.iter().map(|row| row.conversation_id)),
            instants(rows.iter().map(|row| row.time)),
            texts(rows, |row| &row.role),
            texts(rows, |row| &row.user_id),
            texts(rows, |row| &row.mentor_id),
            texts(rows, |row| &row.content),
            texts(rows, |row| &row.model),
        ]
    }

    fn text_bytes(row: &MessageRecord) -> usize {
        row.content.len() + row.user_id.len() + row.mentor_id.len()
    }
}

fn lines(rows: impl IntoIterator<Item: Serialize>) -> Vec<u8> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, &row)
            .expect("a row is made of texts, numbers and lists, all of which JSON can write");
        lines.push(b'\n');
    }
    lines
}

fn texts<'a, R>(rows: &'a [R], text: impl Fn(&'a R) -> &'a str) -> Column<'a> {
    Column::Texts(rows.iter().map(|row| Cow::Borrowed(text(row))).collect())
}

fn ids<'a>(ids: impl Iterator<Item = Uuid>) -> Column<'a> {
    Column::Texts(ids.map(|id| id.to_string().into()).collect())
}

fn instants<'a>(instants: impl Iterator<Item = Timestamp>) -> Column<'a> {
    Column::Numbers(instants.map(Timestamp::as_millis).collect())
}

fn counts<'a>(counts: impl Iterator<Item = u64>) -> Column<'a> {
    Column::Numbers(
        counts
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
            .collect(),
    )
}
