//! The rules that a record can break.

use std::fmt;

/// The rule that a record breaks. `Display` names the field and says what is wrong with it, without repeating
/// what it holds: the dead letter carries the record itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Rejection {
    /// The record has no value, or one of no bytes, where the event or its data must be.
    #[error("value: empty")]
    Tombstone,
    /// The value begins as the serializers of a schema registry write it: a zero byte, and four of a schema's id.
    #[error(
        "value: begins with a schema registry's framing (a zero byte and a schema id): publish the JSON alone, with \
         a string or bytes serializer"
    )]
    SchemaRegistryFraming,
    /// The value begins with a byte-order mark, which JSON does not allow.
    #[error("value: begins with a byte-order mark of UTF-8")]
    ByteOrderMark,
    /// Attributes are in headers named as in HTTP.
    #[error("header ce-…: in Kafka the headers of attributes begin with ce_, not with ce-")]
    HyphenatedHeaders,
    /// A header of an attribute asks for binary mode, but the value is the whole event.
    #[error(
        "value: a structured event, but a ce_ header without ce_specversion makes it binary mode: leave out the ce_ \
         headers, or set the content-type application/cloudevents+json"
    )]
    StructuredWithHeaders,
    /// The header `ce_specversion` was encoded as JSON, and with it probably all others.
    #[error("header ce_specversion: encoded as JSON, in quotes or with a schema: send headers as plain text")]
    QuotedHeader,
    /// Neither the headers nor the value say that this is a CloudEvent.
    #[error(
        "value: not a CloudEvent: no content-type application/cloudevents+json, no ce_ header and no JSON \
         object with specversion"
    )]
    NotACloudEvent,
    /// The content type is one of CloudEvents, but not its JSON format: Avro, Protobuf, a batch.
    #[error("content-type: a format of CloudEvents other than application/cloudevents+json")]
    UnsupportedFormat,
    /// The content type is not UTF-8.
    #[error("header content-type: not UTF-8")]
    ContentTypeNotUtf8,
    /// The header of this attribute, which is read, is not UTF-8.
    #[error("header ce_{0}: not UTF-8")]
    HeaderNotUtf8(&'static str),
    /// The value or the decoded data is not UTF-8.
    #[error("{0}: not UTF-8")]
    NotUtf8(Field),
    /// Something is not JSON, or is JSON that readers would understand differently.
    #[error("{field}: malformed JSON: {reason}")]
    MalformedJson {
        /// What was read; lines and columns of the reason count from its beginning.
        field: Field,
        /// What the JSON reader says.
        reason: String,
    },
    /// A field holds JSON of the wrong type.
    #[error("{field}: expected {expected}, found {found}")]
    WrongType {
        /// Where.
        field: Field,
        /// The type that it must have, with its article.
        expected: &'static str,
        /// The type that it has, with its article.
        found: &'static str,
    },
    /// A required field is absent or null.
    #[error("{0}: missing")]
    Missing(Field),
    /// A field that must hold text holds none.
    #[error("{0}: empty")]
    Empty(Field),
    /// A text is too long.
    #[error("{field}: longer than {limit} characters")]
    TooLong {
        /// Which.
        field: Field,
        /// How many Unicode characters it may have.
        limit: usize,
    },
    /// `specversion` is another than 1.0.
    #[error("specversion: not 1.0")]
    #[strum(serialize = "unsupported_specversion")]
    UnsupportedSpecVersion,
    /// The organisation has a character that none may have.
    #[error("org: has a character outside [A-Za-z0-9._-]")]
    InvalidOrg,
    /// A number stands for an id, but it is written with a fraction or an exponent.
    #[error("{0}: a number, but not an integer")]
    NotAnInteger(Field),
    /// A text is not a date and time as RFC 3339 writes them.
    #[error("{0}: not a date and time of RFC 3339")]
    NotATimestamp(Field),
    /// A time is older than any chat can be, such as one that was not set.
    #[error("{0}: before 2000-01-01T00:00:00Z")]
    TimeTooEarly(Field),
    /// A time is further in the future than clocks may differ.
    #[error("{0}: more than 5 minutes ahead")]
    TimeTooLate(Field),
    /// A text is not a UUID with its hyphens.
    #[error("{0}: not a hyphenated UUID")]
    NotAUuid(Field),
    /// The role is none of the four.
    #[error("data.role: none of user, assistant, system, tool")]
    UnknownRole,
    /// The sentiment is none of the three.
    #[error("data.user_sentiment: none of positive, negative, neutral")]
    UnknownSentiment,
    /// `data_base64` is not padded base64 of the standard alphabet.
    #[error("data_base64: not base64")]
    NotBase64,
    /// The event has its data twice.
    #[error("data_base64: given together with data")]
    TwoPayloads,
}

impl Rejection {
    /// The rule's name in snake case, for metrics: it stays the same when the message changes.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// The codes of all rules.
    pub const fn codes() -> &'static [&'static str] {
        <Self as strum::VariantNames>::VARIANTS
    }
}

/// A part of an event that a rule is about. `Display` writes its path: `data.topics[2].name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// An attribute by its bare name in both modes, the record's `value`, `data`, or a field of it.
    Named(&'static str),
    /// The topic at this index, from 0.
    Topic(usize),
    /// The name of the topic at this index, from 0.
    TopicName(usize),
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(path) => out.write_str(path),
            Self::Topic(index) => write!(out, "data.topics[{index}]"),
            Self::TopicName(index) => write!(out, "data.topics[{index}].name"),
        }
    }
}
