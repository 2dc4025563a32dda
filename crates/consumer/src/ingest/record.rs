//! From a record to its named outcome.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use events::{Decoded, Event, Timestamp};
use rdkafka::message::Message;

use crate::kafka::reader::{Header, headers};

/// How a record ends. Each keeps its position by the span that it is batched under.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    /// It is an event, whose rows are kept.
    Kept(Event<'a>),
    /// It is an event of a type that is not ours.
    Skipped {
        /// That type.
        event_type: Cow<'a, str>,
    },
    /// It breaks a rule.
    Rejected(Reason),
}

/// Why a record is rejected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    /// It is larger than what is configured.
    #[error("record: {bytes} bytes, of {limit} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// `kafka.max_record_bytes`
        limit: usize,
    },
    /// Kafka's headers are named in UTF-8; one of this record's is not.
    #[error("header: a name that is not UTF-8")]
    HeaderName,
    /// The decoder says why.
    #[error(transparent)]
    Broken(#[from] events::Rejection),
    /// The sink does not take its row, and says why.
    #[error("{0}")]
    Refused(String),
}

impl Reason {
    /// The code of [`Reason::Refused`].
    pub(crate) const REFUSED: &'static str = "refused";

    const TOO_LARGE: &'static str = "record_too_large";
    const HEADER_NAME: &'static str = "header_name_not_utf8";

    /// All codes.
    pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
        let rejections = events::Rejection::codes().iter().copied();
        [Self::TOO_LARGE, Self::HEADER_NAME, Self::REFUSED]
            .into_iter()
            .chain(rejections)
    }

    /// A short name that does not change, for metrics and for readers of the dead letters.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => Self::TOO_LARGE,
            Self::HeaderName => Self::HEADER_NAME,
            Self::Broken(rejection) => rejection.code(),
            Self::Refused(_) => Self::REFUSED,
        }
    }
}

/// Reads a record that came at `now`. Nothing of it is copied that can be borrowed.
pub(crate) fn outcome<M: Message>(record: &M, limit: usize, now: Timestamp) -> Outcome<'_> {
    match decode(record, limit, now) {
        Ok(Decoded::Event(event)) => Outcome::Kept(event),
        Ok(Decoded::Skipped { event_type }) => Outcome::Skipped { event_type },
        Err(reason) => Outcome::Rejected(reason),
    }
}

/// The size of a record's key, value and headers, in bytes. `None` if a header's name is not UTF-8: the client
/// panics on such a name and has no other safe way to it, so that the panic is the answer.
pub(crate) fn size<M: Message>(record: &M) -> Option<usize> {
    let bytes = record.key().map_or(0, <[u8]>::len) + record.payload().map_or(0, <[u8]>::len);
    let header = |(name, value): Header<'_>| name.len() + value.map_or(0, <[u8]>::len);
    let headers = catch_unwind(AssertUnwindSafe(|| headers(record).map(header).sum::<usize>()));
    headers.ok().map(|headers| bytes + headers)
}

fn decode<M: Message>(record: &M, limit: usize, now: Timestamp) -> Result<Decoded<'_>, Reason> {
    let bytes = size(record).ok_or(Reason::HeaderName)?;
    if bytes > limit {
        return Err(Reason::TooLarge { bytes, limit });
    }
    Ok(events::decode(headers(record), record.payload(), now)?)
}
