//! The attributes of a CloudEvent and where its data is, in either mode of the Kafka binding.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::data::{self, DATA};
use super::json::{self, Member, STRING};
use super::rejection::{Field, Rejection};

pub(super) const ORG_LIMIT: usize = 64;

const VALUE: Field = Field::Named("value");

pub(super) const TIME: Field = Field::Named("time");

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
    datacontenttype: Attribute<'a>,
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
    /// Whether there is any header of the name that it would have in HTTP.
    any_hyphenated: bool,
}

impl<'a> Envelope<'a> {
    /// The data as JSON, which must be there.
    pub(super) fn data(&self, mode: Mode, value: Option<&'a [u8]>) -> Result<Cow<'a, str>, Rejection> {
        const BASE64: Field = Field::Named("data_base64");
        if mode == Mode::Binary {
            return utf8(DATA, plain(value)?).map(Cow::Borrowed);
        }
        match (self.data, self.data_base64) {
            (Some(_), Some(_)) => Err(Rejection::TwoPayloads),
            (Some(data), None) if json::type_name(data) == STRING && !self.has_json_data()? => {
                Ok(mended(json::string(DATA, data)?))
            }
            (Some(data), None) => Ok(Cow::Borrowed(data.get())),
            (None, Some(encoded)) => {
                let encoded = json::string(BASE64, encoded)?;
                let bytes = STANDARD
                    .decode(encoded.as_bytes())
                    .map_err(|_| Rejection::NotBase64)?;
                let text = String::from_utf8(bytes).map_err(|_| Rejection::NotUtf8(BASE64))?;
                Ok(mended(Cow::Owned(text)))
            }
            (None, None) => Err(Rejection::Missing(DATA)),
        }
    }

    /// Whether the data is declared as JSON, which it is by default. A string that is not is the text of the data.
    fn has_json_data(&self) -> Result<bool, Rejection> {
        if matches!(self.datacontenttype, Attribute::Absent) {
            return Ok(true);
        }
        let content_type = self.datacontenttype.text("datacontenttype")?.to_ascii_lowercase();
        let subtype = content_type
            .split(';')
            .next()
            .and_then(|media| media.split('/').nth(1));
        let subtype = subtype.unwrap_or_default().trim_ascii();
        Ok(subtype == "json" || subtype.ends_with("+json"))
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

    /// As [`Attribute::text`], but JSON may hold an integer.
    pub(super) fn text_or_integer(self, name: &'static str) -> Result<Cow<'a, str>, Rejection> {
        match self {
            Self::Json(raw) => data::text_or_integer(Field::Named(name), raw),
            Self::Absent | Self::Header(_) => self.text(name),
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
            } else if strip_prefix_ignoring_case(name, "ce-").is_some() {
                found.any_hyphenated = true;
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

    /// Reads the value of a record in structured mode as a CloudEvent. One whose content type does not declare it
    /// must look like one.
    pub(super) fn structured(
        &self,
        declared: bool,
        value: Option<&'a [u8]>,
    ) -> Result<Envelope<'a>, Rejection> {
        let value = plain(value)?;
        let no_event = if self.any_hyphenated {
            Rejection::HyphenatedHeaders
        } else {
            Rejection::NotACloudEvent
        };
        if !declared && json::first_byte(value) != Some(b'{') {
            return Err(no_event);
        }
        let envelope: Envelope<'a> = json::object(VALUE, utf8(VALUE, value)?)?;
        if !declared && matches!(envelope.specversion, Attribute::Absent) {
            return Err(no_event);
        }
        Ok(envelope)
    }

    /// Checks that this is a CloudEvent of version 1.0.
    pub(super) fn check_version(
        &self,
        envelope: &Envelope<'a>,
        mode: Mode,
        value: Option<&'a [u8]>,
    ) -> Result<(), Rejection> {
        match envelope.specversion {
            Attribute::Absent if mode == Mode::Binary && self.structured(false, value).is_ok() => {
                Err(Rejection::StructuredWithHeaders)
            }
            // A converter writes `"1.0"`, or `{"schema":…,"payload":"1.0"}`.
            Attribute::Header([b'"', .., b'"'] | [b'{', .., b'}']) => Err(Rejection::QuotedHeader),
            version if version.text("specversion")? == "1.0" => Ok(()),
            _ => Err(Rejection::UnsupportedSpecVersion),
        }
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

/// The value of a record, which must be there and have nothing before its JSON.
fn plain(value: Option<&[u8]>) -> Result<&[u8], Rejection> {
    match value.unwrap_or_default() {
        [] => Err(Rejection::Tombstone),
        [0, _, _, _, _, ..] => Err(Rejection::SchemaRegistryFraming),
        [0xEF, 0xBB, 0xBF, ..] => Err(Rejection::ByteOrderMark),
        value => Ok(value),
    }
}

/// As [`json::mend_surrogates`], of data that is written inside the record's JSON.
fn mended(json: Cow<'_, str>) -> Cow<'_, str> {
    match json::mend_surrogates(json.as_bytes()).map(String::from_utf8) {
        Some(Ok(mended)) => Cow::Owned(mended),
        _ => json,
    }
}

fn utf8(field: Field, bytes: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(bytes).map_err(|_| Rejection::NotUtf8(field))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}
