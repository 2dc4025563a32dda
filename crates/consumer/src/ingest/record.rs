//! From a record to its named outcome.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use events::{Decoded, Event, Timestamp};
use rdkafka::message::{Headers, Message};

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

    /// A short name that does not change, for metrics and for readers of the dead letters.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "record_too_large",
            Self::HeaderName => "header_name_not_utf8",
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
    if record.headers().is_none() {
        return Some(bytes);
    }
    let header = |(name, value): (&str, Option<&[u8]>)| name.len() + value.map_or(0, <[u8]>::len);
    let headers = catch_unwind(AssertUnwindSafe(|| {
        HeaderIter::of(record).map(header).sum::<usize>()
    }));
    headers.ok().map(|headers| bytes + headers)
}

fn decode<M: Message>(record: &M, limit: usize, now: Timestamp) -> Result<Decoded<'_>, Reason> {
    let bytes = size(record).ok_or(Reason::HeaderName)?;
    if bytes > limit {
        return Err(Reason::TooLarge { bytes, limit });
    }
    Ok(events::decode(HeaderIter::of(record), record.payload(), now)?)
}

/// The headers of a record, in their order.
struct HeaderIter<'a, H> {
    headers: Option<&'a H>,
    next: usize,
}

impl<'a, H: Headers> HeaderIter<'a, H> {
    fn of<M: Message<Headers = H>>(record: &'a M) -> Self {
        Self {
            headers: record.headers(),
            next: 0,
        }
    }
}

impl<H> Clone for HeaderIter<'_, H> {
    fn clone(&self) -> Self {
        Self {
            headers: self.headers,
            next: self.next,
        }
    }
}

impl<H> fmt::Debug for HeaderIter<'_, H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HeaderIter")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'a, H: Headers> Iterator for HeaderIter<'a, H> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let header = self
            .headers
            .filter(|headers| self.next < headers.count())?
            .try_get(self.next)?;
        self.next += 1;
        Some((header.key, header.value))
    }
}
