//! The attributes of a CloudEvent and where its data is, in either mode of the Kafka binding.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::data::{self, DATA, Kind};
use super::json::{self, Member};
use super::rejection::{Field, Rejection};
use crate::{Body, Timestamp};

/// 2000-01-01T00:00:00Z: no event is older.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);

/// How far the clock of a producer may run ahead of ours.
const AHEAD_MILLIS: i64 = 5 * 60 * 1000;

const ORG_LIMIT: usize = 64;

const VALUE: Field = Field::Named("value");

/// A CloudEvent of version 1.0 whose other attributes and data are not read yet.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    event_type: Attribute<'a>,
    id: Attribute<'a>,
    source: Attribute<'a>,
    time: Attribute<'a>,
    org: Attribute<'a>,
    payload: Source<'a>,
}

/// Where an attribute's value is.
#[derive(Debug, Clone, Copy)]
enum Attribute<'a> {
    Absent,
    Header(&'a [u8]),
    Json(&'a RawValue),
}

/// Where the data is.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// The value of a record in binary mode.
    Value(Option<&'a [u8]>),
    /// Members of the value of a record in structured mode.
    Members {
        data: Member<'a>,
        data_base64: Member<'a>,
    },
}

/// The data of an event, as JSON that is not read yet.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    Borrowed(&'a str),
    Owned(String),
}

/// The mode of the Kafka binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The attributes are headers, the value is the data.
    Binary,
    /// The value is the whole event; `declared` by the content type, or else by its looks.
    Structured { declared: bool },
}

/// The headers that matter, each the last of its name.
#[derive(Debug, Default)]
pub(super) struct Headers<'a> {
    content_type: Option<&'a [u8]>,
    specversion: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    org: Option<&'a [u8]>,
    /// Whether there is any header of binary mode, known or not.
    any_attribute: bool,
}

/// A record's value in structured mode. Attributes are kept unread, so that those of an unknown type may hold
/// anything.
#[derive(Deserialize)]
struct WireEnvelope<'a> {
    #[serde(borrow)]
    specversion: Member<'a>,
    #[serde(borrow, rename = "type")]
    event_type: Member<'a>,
    #[serde(borrow)]
    id: Member<'a>,
    #[serde(borrow)]
    source: Member<'a>,
    #[serde(borrow)]
    time: Member<'a>,
    #[serde(borrow)]
    org: Member<'a>,
    #[serde(borrow)]
    data: Member<'a>,
    #[serde(borrow)]
    data_base64: Member<'a>,
}

impl<'a> Envelope<'a> {
    /// Sees to it that this is a CloudEvent of version 1.0.
    pub(super) fn read(
        headers: &Headers<'a>,
        mode: Mode,
        value: Option<&'a [u8]>,
    ) -> Result<Self, Rejection> {
        let (specversion, envelope) = match mode {
            Mode::Binary => headers.binary(value),
            Mode::Structured { declared } => structured(declared, value)?,
        };
        match &*specversion.text("specversion")? {
            "1.0" => Ok(envelope),
            _ => Err(Rejection::UnsupportedSpecVersion),
        }
    }

    /// The attribute `type`.
    pub(super) fn event_type(&self) -> Result<Cow<'a, str>, Rejection> {
        self.event_type.some_text("type")
    }

    /// The attribute `id`.
    pub(super) fn id(&self) -> Result<Cow<'a, str>, Rejection> {
        self.id.some_text("id")
    }

    /// The attribute `source`.
    pub(super) fn source(&self) -> Result<Cow<'a, str>, Rejection> {
        self.source.some_text("source")
    }

    /// The attribute `time`, which must not lie before this century or more than five minutes after `now`.
    pub(super) fn time(&self, now: Timestamp) -> Result<Timestamp, Rejection> {
        time(&self.time.some_text("time")?, now)
    }

    /// The extension `org`.
    pub(super) fn org(&self) -> Result<Cow<'a, str>, Rejection> {
        org(self.org.text("org")?)
    }

    /// The data, which must be there.
    pub(super) fn payload(&self) -> Result<Payload<'a>, Rejection> {
        const BASE64: Field = Field::Named("data_base64");
        match self.payload {
            Source::Value(value) => {
                let value = value
                    .filter(|value| !value.is_empty())
                    .ok_or(Rejection::Tombstone)?;
                utf8(DATA, value).map(Payload::Borrowed)
            }
            Source::Members {
                data: Some(_),
                data_base64: Some(_),
            } => Err(Rejection::TwoPayloads),
            Source::Members {
                data: Some(data),
                data_base64: None,
            } => Ok(Payload::Borrowed(data.get())),
            Source::Members {
                data: None,
                data_base64: Some(encoded),
            } => {
                let encoded = json::string(BASE64, encoded)?;
                let bytes = STANDARD
                    .decode(encoded.as_bytes())
                    .map_err(|_| Rejection::NotBase64)?;
                let text = String::from_utf8(bytes).map_err(|_| Rejection::NotUtf8 { field: BASE64 })?;
                Ok(Payload::Owned(text))
            }
            Source::Members {
                data: None,
                data_base64: None,
            } => Err(Rejection::Missing { field: DATA }),
        }
    }
}

impl<'a> Payload<'a> {
    /// Reads the data of an event of this kind.
    pub(super) fn body(self, kind: Kind) -> Result<Body<'a>, Rejection> {
        match self {
            Self::Borrowed(json) => data::body(kind, json),
            Self::Owned(json) => data::body(kind, &json).map(Body::into_owned),
        }
    }
}

impl<'a> Attribute<'a> {
    /// The attribute's text, which must be there.
    fn text(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        let field = Field::Named(name);
        match self {
            Self::Absent => Err(Rejection::Missing { field }),
            Self::Header(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(_) => Err(Rejection::HeaderNotUtf8 { attribute: name }),
            },
            Self::Json(raw) => json::string(field, raw),
        }
    }

    /// The attribute's text, which must be there and not be empty.
    fn some_text(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        let text = self.text(name)?;
        if text.is_empty() {
            Err(Rejection::Empty {
                field: Field::Named(name),
            })
        } else {
            Ok(text)
        }
    }

    fn header(value: Option<&'a [u8]>) -> Self {
        value.map_or(Self::Absent, Self::Header)
    }

    fn json(value: Member<'a>) -> Self {
        value.map_or(Self::Absent, Self::Json)
    }
}

impl<'a> Headers<'a> {
    pub(super) fn collect(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if let Some(attribute) = strip_prefix_ignoring_case(name, "ce_") {
                found.any_attribute |= value.is_some();
                if let Some(slot) = found.slot(attribute) {
                    *slot = value;
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                found.content_type = value;
            }
        }
        found
    }

    fn slot(&mut self, attribute: &str) -> Option<&mut Option<&'a [u8]>> {
        let slots = [
            ("specversion", &mut self.specversion),
            ("type", &mut self.event_type),
            ("id", &mut self.id),
            ("source", &mut self.source),
            ("time", &mut self.time),
            ("org", &mut self.org),
        ];
        slots
            .into_iter()
            .find_map(|(name, slot)| attribute.eq_ignore_ascii_case(name).then_some(slot))
    }

    /// The mode that they tell.
    pub(super) fn mode(&self) -> Result<Mode, Rejection> {
        let declared = self.declares_structured()?;
        Ok(if self.any_attribute && !declared {
            Mode::Binary
        } else {
            Mode::Structured { declared }
        })
    }

    /// Whether the content type says that the value is a whole CloudEvent, in the one format that is read.
    fn declares_structured(&self) -> Result<bool, Rejection> {
        let Some(content_type) = self.content_type else {
            return Ok(false);
        };
        let content_type = str::from_utf8(content_type)
            .map_err(|_| Rejection::ContentTypeNotUtf8)?
            .trim_ascii();
        let Some(rest) = strip_prefix_ignoring_case(content_type, "application/cloudevents") else {
            return Ok(false);
        };
        let suffix = rest.split(';').next().unwrap_or_default().trim_ascii_end();
        if suffix.eq_ignore_ascii_case("+json") {
            Ok(true)
        } else {
            Err(Rejection::UnsupportedFormat)
        }
    }

    fn binary(&self, value: Option<&'a [u8]>) -> (Attribute<'a>, Envelope<'a>) {
        let envelope = Envelope {
            event_type: Attribute::header(self.event_type),
            id: Attribute::header(self.id),
            source: Attribute::header(self.source),
            time: Attribute::header(self.time),
            org: Attribute::header(self.org),
            payload: Source::Value(value),
        };
        (Attribute::header(self.specversion), envelope)
    }
}

/// Reads the value as a CloudEvent. One whose content type does not declare it must look like one.
fn structured(declared: bool, value: Option<&[u8]>) -> Result<(Attribute<'_>, Envelope<'_>), Rejection> {
    let value = value
        .filter(|value| !value.is_empty())
        .ok_or(Rejection::Tombstone)?;
    if !declared && json::first_byte(value) != Some(b'{') {
        return Err(Rejection::NotACloudEvent);
    }
    let wire: WireEnvelope<'_> = json::object(VALUE, utf8(VALUE, value)?)?;
    if !declared && wire.specversion.is_none() {
        return Err(Rejection::NotACloudEvent);
    }
    let envelope = Envelope {
        event_type: Attribute::json(wire.event_type),
        id: Attribute::json(wire.id),
        source: Attribute::json(wire.source),
        time: Attribute::json(wire.time),
        org: Attribute::json(wire.org),
        payload: Source::Members {
            data: wire.data,
            data_base64: wire.data_base64,
        },
    };
    Ok((Attribute::json(wire.specversion), envelope))
}

/// Reads the attribute `time`, which must not lie before this century or more than five minutes after `now`.
pub(super) fn time(text: &str, now: Timestamp) -> Result<Timestamp, Rejection> {
    let time = data::timestamp(Field::Named("time"), text)?;
    if time < EARLIEST {
        return Err(Rejection::TimeTooEarly);
    }
    if time.as_millis() > now.as_millis().saturating_add(AHEAD_MILLIS) {
        return Err(Rejection::TimeTooLate);
    }
    Ok(time)
}

/// Reads the extension `org`.
pub(super) fn org(text: Cow<'_, str>) -> Result<Cow<'_, str>, Rejection> {
    const ORG: Field = Field::Named("org");
    if text.is_empty() {
        Err(Rejection::Empty { field: ORG })
    } else if text.chars().count() > ORG_LIMIT {
        Err(Rejection::TooLong {
            field: ORG,
            limit: ORG_LIMIT,
        })
    } else if text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    {
        Ok(text)
    } else {
        Err(Rejection::InvalidOrg)
    }
}

fn utf8(field: Field, bytes: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(bytes).map_err(|_| Rejection::NotUtf8 { field })
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}
