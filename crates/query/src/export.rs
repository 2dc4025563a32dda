//! The answers of the API, and the records of messages, as files: whole and in order, in parts of bounded size.

mod parquet;
mod tables;

use std::future::ready;

use aggregator::{Error, Store};
use events::{DateRange, Grain, MessageFilter, NewUsersBy, TranscriptFilter};
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use self::{
    parquet::Writer,
    tables::{Cohorts, Messages, Table, Transcripts, Usage},
};
use crate::{
    dto::usage_counts,
    params::{self, GROUP_BY, NEW_USERS_BY, truncate},
};

pub use crate::params::MAX_PERIODS;

/// What is exported. That a range has at most [`MAX_PERIODS`] is for the caller to see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// The answer of `usage-summary`.
    Usage {
        /// The days.
        range: DateRange,
        /// How long a period is.
        grain: Grain,
    },
    /// The answer of `user-cohorts-over-time`.
    Cohorts {
        /// The days.
        range: DateRange,
        /// How long a period is.
        grain: Grain,
        /// Only users active with this mentor.
        mentor: Option<String>,
        /// Which users are new.
        new_users_by: NewUsersBy,
    },
    /// The answer of `transcripts`.
    Transcripts(TranscriptFilter),
    /// All records of messages.
    Messages(MessageFilter),
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the API writes CSV.
    Csv,
    /// A JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

/// A part of a file.
#[derive(Debug)]
pub struct Part {
    /// What is to be written next.
    pub bytes: Vec<u8>,
    /// How many rows were read for it.
    pub rows: usize,
}

/// The parts of a file.
pub type Parts = BoxStream<'static, Result<Part, Error>>;

impl Export {
    /// What the file of an organisation consists of.
    pub fn parts(self, store: &Store, org: &str, form: Form) -> Parts {
        let (store, org) = (store.clone(), org.to_owned());
        match self {
            Self::Usage { range, grain } => {
                let counts = async move {
                    let counts = store.usage_summary(&org, range, grain).await?;
                    Ok(usage_counts(range, grain, counts))
                };
                encoded(form, Usage { range, grain }, stream::once(counts))
            }
            Self::Cohorts {
                range,
                grain,
                mentor,
                new_users_by,
            } => {
                let counts = async move {
                    let mentor = comparable(mentor);
                    store
                        .cohorts(&org, range, grain, mentor.as_deref(), new_users_by)
                        .await
                };
                encoded(form, Cohorts, stream::once(counts))
            }
            Self::Transcripts(filter) => {
                let filter = TranscriptFilter {
                    mentor: comparable(filter.mentor),
                    ..filter
                };
                encoded(form, Transcripts, store.transcripts(&org, &filter))
            }
            Self::Messages(filter) => {
                let filter = MessageFilter {
                    mentor: comparable(filter.mentor),
                    ..filter
                };
                encoded(form, Messages, store.message_records(&org, &filter))
            }
        }
    }
}

/// The words for how long a period is, as the API takes them; the default first.
pub const fn grains() -> &'static [(&'static str, Grain)] {
    GROUP_BY.options
}

/// The words for which users are new, as the API takes them; the default first.
pub const fn ways_to_be_new() -> &'static [(&'static str, NewUsersBy)] {
    NEW_USERS_BY.options
}

/// The topics that a filter compares, of lists as the API takes them.
///
/// # Errors
/// Where they name nothing, or more than the API takes; a sentence says which.
pub fn topics<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, String> {
    params::folded_topics(lists.into_iter()).map_err(|error| error.to_string())
}

/// A mentor as the API compares it.
fn comparable(mentor: Option<String>) -> Option<String> {
    mentor.map(|mentor| truncate(&mentor, 1))
}

/// Encodes rows as they are read.
fn encoded<T: Table>(
    form: Form,
    table: T,
    chunks: impl Stream<Item = Result<Vec<T::Row>, Error>> + Send + 'static,
) -> Parts {
    let mut encoder = Encoder::new(form, table);
    let begin = Part {
        bytes: encoder.begin(),
        rows: 0,
    };
    let chunks = chunks.map_ok(Some).chain(stream::once(ready(Ok(None))));
    let parts = chunks.map_ok(move |chunk: Option<Vec<T::Row>>| Part {
        rows: chunk.as_ref().map_or(0, Vec::len),
        bytes: match chunk {
            Some(rows) => encoder.write(rows),
            None => encoder.end(),
        },
    });
    stream::once(ready(Ok(begin))).chain(parts).boxed()
}

/// What writes the rows of a table.
enum Encoder<T: Table> {
    Csv(T),
    JsonLines(T),
    Parquet(Box<Writer<T>>),
}

impl<T: Table> Encoder<T> {
    fn new(form: Form, table: T) -> Self {
        match form {
            Form::Csv => Self::Csv(table),
            Form::JsonLines => Self::JsonLines(table),
            Form::Parquet => Self::Parquet(Box::new(Writer::new(table))),
        }
    }

    fn begin(&mut self) -> Vec<u8> {
        match self {
            Self::Csv(table) => table.csv_header(),
            Self::JsonLines(_) => Vec::new(),
            Self::Parquet(writer) => writer.written(),
        }
    }

    fn write(&mut self, rows: Vec<T::Row>) -> Vec<u8> {
        match self {
            Self::Csv(table) => table.csv(&rows),
            Self::JsonLines(table) => table.json_lines(&rows),
            Self::Parquet(writer) => writer.write(rows),
        }
    }

    fn end(&mut self) -> Vec<u8> {
        match self {
            Self::Csv(_) | Self::JsonLines(_) => Vec::new(),
            Self::Parquet(writer) => writer.end(),
        }
    }
}
