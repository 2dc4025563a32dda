//! The rules that a record can break.

use std::fmt;

/// The rule that a record breaks. `Display` names the field and says what is wrong with it, without repeating
/// what it holds: the dead letter carries the record itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The record has no value, or one of no bytes, where the event or its data must be.
    #[error("value: empty")]
    Tombstone,
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
    /// The header of an attribute that is read is not UTF-8.
    #[error("header ce_{attribute}: not UTF-8")]
    HeaderNotUtf8 {
        /// The attribute's name.
        attribute: &'static str,
    },
    /// The value or the decoded data is not UTF-8.
    #[error("{field}: not UTF-8")]
    NotUtf8 {
        /// Where.
        field: Field,
    },
    /// Something is not JSON, or is JSON that no reader would take the same way.
    #[error("{field}: malformed JSON: {reason}")]
    MalformedJson {
        /// What was read; lines and columns of the reason count from its beginning.
        field: Field,
        /// What the JSON reader says.
        reason: String,
    },
    /// A field holds JSON of another type than it must.
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
    #[error("{field}: missing")]
    Missing {
        /// Which.
        field: Field,
    },
    /// A field that must hold text holds none.
    #[error("{field}: empty")]
    Empty {
        /// Which.
        field: Field,
    },
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
    UnsupportedSpecVersion,
    /// The organisation has a character that none may have.
    #[error("org: has a character outside [A-Za-z0-9._-]")]
    InvalidOrg,
    /// A number stands for an id, but it is written with a fraction or an exponent.
    #[error("{field}: a number, but not an integer")]
    NotAnInteger {
        /// Which.
        field: Field,
    },
    /// A text is not a date and time as RFC 3339 writes them.
    #[error("{field}: not a date and time of RFC 3339")]
    NotATimestamp {
        /// Which.
        field: Field,
    },
    /// The event is older than any chat can be.
    #[error("time: before 2000-01-01T00:00:00Z")]
    TimeTooEarly,
    /// The event lies further in the future than clocks may differ.
    #[error("time: more than 5 minutes ahead")]
    TimeTooLate,
    /// A text is not a UUID with its hyphens.
    #[error("{field}: not a hyphenated UUID")]
    NotAUuid {
        /// Which.
        field: Field,
    },
    /// The role is none of the four.
    #[error("data.role: none of user, assistant, system, tool")]
    UnknownRole,
    /// The sentiment is none of the three.
    #[error("data.user_sentiment: none of positive, negative, neutral")]
    UnknownSentiment,
    /// `data_base64` is not padded base64 of the standard alphabet.
    #[error("data_base64: not base64")]
    NotBase64,
    /// The event brings its data twice.
    #[error("data_base64: given together with data")]
    TwoPayloads,
}

impl Rejection {
    /// The rule's name in snake case, for metrics: it stays the same when the message changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::NotACloudEvent => "not_a_cloud_event",
            Self::UnsupportedFormat => "unsupported_format",
            Self::ContentTypeNotUtf8 => "content_type_not_utf8",
            Self::HeaderNotUtf8 { .. } => "header_not_utf8",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::MalformedJson { .. } => "malformed_json",
            Self::WrongType { .. } => "wrong_type",
            Self::Missing { .. } => "missing",
            Self::Empty { .. } => "empty",
            Self::TooLong { .. } => "too_long",
            Self::UnsupportedSpecVersion => "unsupported_specversion",
            Self::InvalidOrg => "invalid_org",
            Self::NotAnInteger { .. } => "not_an_integer",
            Self::NotATimestamp { .. } => "not_a_timestamp",
            Self::TimeTooEarly => "time_too_early",
            Self::TimeTooLate => "time_too_late",
            Self::NotAUuid { .. } => "not_a_uuid",
            Self::UnknownRole => "unknown_role",
            Self::UnknownSentiment => "unknown_sentiment",
            Self::NotBase64 => "not_base64",
            Self::TwoPayloads => "two_payloads",
        }
    }
}

/// A place in an event that a rule speaks of. `Display` writes its path: `data.topics[2].name`.
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
