//! From a record's headers and value to an event, or to the rule that it breaks.
//!
//! Both modes of the CloudEvents Kafka binding are read. Rules are tried in one order, and the first that is
//! broken is the reason given: that the record is a CloudEvent of version 1.0 with a type; then, of a known
//! type alone, its `id`, `source`, `time` and `org`; then its data. Everything is borrowed from the record
//! that JSON or base64 did not escape. The common record is read in one pass (`quick`), any other thoroughly.

mod data;
mod envelope;
mod json;
mod quick;
mod rejection;
mod schema;

use std::borrow::Cow;

use crate::{Event, Timestamp};
use data::Kind;
use envelope::{Headers, Mode};

pub use json::mend_surrogates;
pub use rejection::{Field, Rejection};
pub use schema::schemas;

/// What a record holds that breaks no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A chat event.
    Event(Event<'a>),
    /// A CloudEvent of another type; nothing else of it was read.
    Skipped {
        /// Its `type`.
        event_type: Cow<'a, str>,
    },
}

/// Decodes the headers and the value of a record that was read at `now`.
///
/// - The mode is structured if the header `content-type` begins with `application/cloudevents`, else binary if
///   a header's name begins with `ce_`, else structured. Header names ignore ASCII case, the last of a repeated
///   header counts, and one without a value is absent.
/// - An escape of half a surrogate pair, as text cut inside an emoji has it, is read as U+FFFD.
/// - An object that repeats a key which is read is malformed; any other key may be repeated and hold anything.
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
    let decoded = decode_thoroughly(&headers, mode, value, now);
    if matches!(decoded, Err(Rejection::MalformedJson { .. }))
        && let Some(mended) = value.and_then(mend_surrogates)
    {
        return decode_thoroughly(&headers, mode, Some(&mended), now).map(Decoded::into_owned);
    }
    decoded
}

impl Decoded<'_> {
    fn into_owned(self) -> Decoded<'static> {
        match self {
            Self::Event(event) => Decoded::Event(event.into_owned()),
            Self::Skipped { event_type } => Decoded::Skipped {
                event_type: Cow::Owned(event_type.into_owned()),
            },
        }
    }
}

/// Decodes any record, and finds what is wrong with it.
fn decode_thoroughly<'a>(
    headers: &Headers<'a>,
    mode: Mode,
    value: Option<&'a [u8]>,
    now: Timestamp,
) -> Result<Decoded<'a>, Rejection> {
    let parsed;
    let envelope = match mode {
        Mode::Binary => &headers.attributes,
        Mode::Structured { declared } => {
            parsed = headers.structured(declared, value)?;
            &parsed
        }
    };
    headers.check_version(envelope, mode, value)?;
    let event_type = envelope.event_type.non_empty_text("type")?;
    let Some(kind) = Kind::of(&event_type) else {
        return Ok(Decoded::Skipped { event_type });
    };
    let id = envelope.id.non_empty_text("id")?;
    envelope.source.non_empty_text("source")?;
    let time = data::timestamp(envelope::TIME, &envelope.time.non_empty_text("time")?, now)?;
    let org = envelope::org(envelope.org.text_or_integer("org")?)?;
    let body = match envelope.data(mode, value)? {
        Cow::Borrowed(json) => data::body(kind, json, now)?,
        Cow::Owned(json) => data::body(kind, &json, now)?.into_owned(),
    };
    Ok(Decoded::Event(Event { org, id, time, body }))
}
