//! The attributes of a CloudEvent and where its data is, in either mode of the Kafka binding.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::data::{self, DATA};
use super::json::{self, Member};
use super::rejection::{Field, Rejection};
use crate::Timestamp;

/// 2000-01-01T00:00:00Z: no event is older.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);

/// How far a producer's clock may be ahead of ours.
const AHEAD_MILLIS: i64 = 5 * 60 * 1000;

const ORG_LIMIT: usize = 64;

const VALUE: Field = Field::Named("value");

/// A CloudEvent whose attributes and data are not read yet, so that those of an unknown type may hold anything.
/// In structured mode it is the record's value.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Envelope<'a> {
    specversion: Attribute<'a>,
    #[serde(rename = "type")]
    pub(super) event_type: Attribute<'a>,
    pub(super) id: Attribute<'a>,
    pub(super) source: Attribute<'a>,
    pub(super) time: Attribute<'a>,
    pub(super) org: Attribute<'a>,
    /// Like `data_base64` absent in binary mode, where the record's value is the data.
    data: Member<'a>,
    data_base64: Member<'a>,
}

/// Where an attribute's value is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Attribute<'a> {
    #[default]
    Absent,
    Header(&'a [u8]),
    Json(&'a RawValue),
}

/// The mode of the Kafka binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The attributes are headers, the value is the data.
    Binary,
    /// The value is the whole event; `declared` by the content type, or else recognised by its members.
    Structured { declared: bool },
}

/// The headers that matter, each the last of its name.
#[derive(Debug, Default)]
pub(super) struct Headers<'a> {
    content_type: Option<&'a [u8]>,
    /// The attributes that are headers: in binary mode the whole envelope.
    pub(super) attributes: Envelope<'a>,
    /// Whether there is any header of binary mode, known or not.
    any_attribute: bool,
}

impl<'a> Envelope<'a> {
    /// Reads the value of a record in structured mode as a CloudEvent. One whose content type does not declare it
    /// must look like one.
    pub(super) fn structured(declared: bool, value: Option<&'a [u8]>) -> Result<Self, Rejection> {
        let value = not_empty(value)?;
        if !declared && json::first_byte(value) != Some(b'{') {
            return Err(Rejection::NotACloudEvent);
        }
        let envelope: Self = json::object(VALUE, utf8(VALUE, value)?)?;
        if !declared && matches!(envelope.specversion, Attribute::Absent) {
            return Err(Rejection::NotACloudEvent);
        }
        Ok(envelope)
    }

    /// Checks that this is a CloudEvent of version 1.0.
    pub(super) fn check_version(&self) -> Result<(), Rejection> {
        match &*self.specversion.text("specversion")? {
            "1.0" => Ok(()),
            _ => Err(Rejection::UnsupportedSpecVersion),
        }
    }

    /// The data as JSON, which must be there.
    pub(super) fn data(&self, mode: Mode, value: Option<&'a [u8]>) -> Result<Cow<'a, str>, Rejection> {
        const BASE64: Field = Field::Named("data_base64");
        if mode == Mode::Binary {
            return utf8(DATA, not_empty(value)?).map(Cow::Borrowed);
        }
        match (self.data, self.data_base64) {
            (Some(_), Some(_)) => Err(Rejection::TwoPayloads),
            (Some(data), None) => Ok(Cow::Borrowed(data.get())),
            (None, Some(encoded)) => {
                let encoded = json::string(BASE64, encoded)?;
                let bytes = STANDARD
                    .decode(encoded.as_bytes())
                    .map_err(|_| Rejection::NotBase64)?;
                let text = String::from_utf8(bytes).map_err(|_| Rejection::NotUtf8(BASE64))?;
                Ok(Cow::Owned(text))
            }
            (None, None) => Err(Rejection::Missing(DATA)),
        }
    }
}

impl<'a> Attribute<'a> {
    /// The attribute's text, which must be there.
    pub(super) fn text(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        let field = Field::Named(name);
        match self {
            Self::Absent => Err(Rejection::Missing(field)),
            Self::Header(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(_) => Err(Rejection::HeaderNotUtf8(name)),
            },
            Self::Json(raw) => json::string(field, raw),
        }
    }

    /// The attribute's text, which must be there and not be empty.
    pub(super) fn non_empty_text(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        let text = self.text(name)?;
        if text.is_empty() {
            Err(Rejection::Empty(Field::Named(name)))
        } else {
            Ok(text)
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attribute<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Member::deserialize(deserializer)?.map_or(Self::Absent, Self::Json))
    }
}

impl<'a> Headers<'a> {
    pub(super) fn collect(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if let Some(attribute) = strip_prefix_ignoring_case(name, "ce_") {
                found.any_attribute |= value.is_some();
                if let Some(slot) = found.slot(attribute) {
                    *slot = value.map_or(Attribute::Absent, Attribute::Header);
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                found.content_type = value;
            }
        }
        found
    }

    fn slot(&mut self, attribute: &str) -> Option<&mut Attribute<'a>> {
        let slots = [
            ("specversion", &mut self.attributes.specversion),
            ("type", &mut self.attributes.event_type),
            ("id", &mut self.attributes.id),
            ("source", &mut self.attributes.source),
            ("time", &mut self.attributes.time),
            ("org", &mut self.attributes.org),
        ];
        slots
            .into_iter()
            .find_map(|(name, slot)| attribute.eq_ignore_ascii_case(name).then_some(slot))
    }

    /// The mode of the record.
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
        Err(Rejection::Empty(ORG))
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

/// The value of a record, which must be there.
fn not_empty(value: Option<&[u8]>) -> Result<&[u8], Rejection> {
    value
        .filter(|value| !value.is_empty())
        .ok_or(Rejection::Tombstone)
}

fn utf8(field: Field, bytes: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(bytes).map_err(|_| Rejection::NotUtf8(field))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}
