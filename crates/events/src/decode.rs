//! From a record's headers and value to an event, or to the rule that it breaks.
//!
//! Both modes of the CloudEvents Kafka binding are read. Rules are tried in one order, and the first that is
//! broken is the reason given: that the record is a CloudEvent of version 1.0 with a type; then, of a known
//! type alone, its `id`, `source`, `time` and `org`; then its data. Everything is borrowed from the record
//! that JSON or base64 did not escape. The common record is read in one pass (`quick`), which gives any other up.

mod data;
mod envelope;
mod json;
mod quick;
mod rejection;

use std::borrow::Cow;

use crate::{Event, Timestamp};
use data::Kind;
use envelope::{Envelope, Headers, Mode};

pub use rejection::{Field, Rejection};

/// What a record holds that breaks no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A chat event.
    Event(Event<'a>),
    /// A CloudEvent of a type that is none of ours; nothing else of it was looked at.
    Skipped {
        /// Its `type`.
        event_type: Cow<'a, str>,
    },
}

/// Decodes the headers and the value of a record that was read at `now`.
///
/// - The mode is structured if the header `content-type` begins with `application/cloudevents`, else binary if
///   a header's name begins with `ce_`, else structured. Names of headers compare ignoring ASCII case, the last
///   of those that repeat holds, and one without a value counts as absent.
/// - An object that gives a key twice which matters to us is malformed; a key that does not may hold and repeat
///   anything.
pub fn decode<'a>(
    headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    value: Option<&'a [u8]>,
    now: Timestamp,
) -> Result<Decoded<'a>, Rejection> {
    let headers = Headers::collect(headers);
    let mode = headers.mode()?;
    if let (Mode::Structured { .. }, Some(value)) = (mode, value)
        && let Some(event) = quick::event(value, now)
    {
        return Ok(Decoded::Event(event));
    }
    thoroughly(&headers, mode, value, now)
}

/// Reads any record, and finds what is wrong with it.
fn thoroughly<'a>(
    headers: &Headers<'a>,
    mode: Mode,
    value: Option<&'a [u8]>,
    now: Timestamp,
) -> Result<Decoded<'a>, Rejection> {
    let envelope = Envelope::read(headers, mode, value)?;
    let event_type = envelope.event_type()?;
    let Some(kind) = Kind::of(&event_type) else {
        return Ok(Decoded::Skipped { event_type });
    };
    let id = envelope.id()?;
    envelope.source()?;
    let time = envelope.time(now)?;
    let org = envelope.org()?;
    let body = envelope.payload()?.body(kind)?;
    Ok(Decoded::Event(Event { org, id, time, body }))
}
