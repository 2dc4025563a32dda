//! The data of the four kinds of event.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::json::{self, ARRAY, Member, NUMBER, STRING};
use super::rejection::{Field, Rejection};
use super::schema::{HyphenatedUuid, Id, IdOrEmpty, Instant, Name};
use crate::{Annotation, Body, Erasure, Message, Registration, Role, Sentiment, Timestamp};

/// The data as a whole.
pub(super) const DATA: Field = Field::Named("data");

/// 2000-01-01T00:00:00Z: nothing is older. A year 1 or 1970 stands for a time that was not set.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);

/// How far a producer's clock may be ahead of ours.
const AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// How many Unicode characters the id of a user or mentor and the name of a topic may have.
pub(super) const NAME_LIMIT: usize = 255;

/// A type of event that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Annotation,
    Registration,
    Erasure,
}

impl Kind {
    /// With their names.
    pub(super) const ALL: [(&str, Self); 4] = [
        ("chat.message.created.v1", Self::Message),
        ("chat.conversation.annotated.v1", Self::Annotation),
        ("chat.user.registered.v1", Self::Registration),
        ("chat.user.erased.v1", Self::Erasure),
    ];

    /// The kind that an attribute `type` names, with or without a dotted prefix.
    pub(super) fn of(event_type: &str) -> Option<Self> {
        let names = |name| match event_type.strip_suffix(name) {
            Some("") => true,
            Some(prefix) => prefix.len() > 1 && prefix.ends_with('.'),
            None => false,
        };
        Self::ALL
            .into_iter()
            .find_map(|(name, kind)| names(name).then_some(kind))
    }
}

/// Reads the data of an event of this kind, which was read at `now`.
pub(super) fn body(kind: Kind, json: &str, now: Timestamp) -> Result<Body<'_>, Rejection> {
    match kind {
        Kind::Message => json::object::<WireMessage<'_>>(DATA, json)?
            .message()
            .map(Body::Message),
        Kind::Annotation => json::object::<WireAnnotation<'_>>(DATA, json)?
            .annotation(now)
            .map(Body::Annotation),
        Kind::Registration => json::object::<WireRegistration<'_>>(DATA, json)?
            .registration(now)
            .map(Body::Registration),
        Kind::Erasure => json::object::<WireErasure<'_>>(DATA, json)?
            .erasure(now)
            .map(Body::Erasure),
    }
}

/// Reads a date and time of RFC 3339, which must not lie before this century or more than five minutes after `now`.
pub(super) fn timestamp(field: Field, text: &str, now: Timestamp) -> Result<Timestamp, Rejection> {
    let time = Timestamp::parse_rfc3339(text).ok_or(Rejection::NotATimestamp(field))?;
    if time < EARLIEST {
        Err(Rejection::TimeTooEarly(field))
    } else if time.as_millis() > now.as_millis().saturating_add(AHEAD_MILLIS) {
        Err(Rejection::TimeTooLate(field))
    } else {
        Ok(time)
    }
}

/// A message was written in a conversation.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "'de: 'a"))]
#[schemars(rename = "Message")]
pub(super) struct WireMessage<'a> {
    /// Identifies the message within its organisation. What is sent again under the same one is one more record of it.
    #[schemars(with = "HyphenatedUuid")]
    message_id: Member<'a>,
    /// The conversation that it belongs to.
    #[schemars(with = "HyphenatedUuid")]
    conversation_id: Member<'a>,
    /// Who wrote it.
    #[schemars(with = "Role")]
    role: Member<'a>,
    /// The user who wrote it or is answered; absent, null or empty for an anonymous message.
    #[schemars(with = "Option<IdOrEmpty>")]
    user_id: Member<'a>,
    /// The mentor of the conversation.
    #[schemars(with = "Option<Id>")]
    mentor_id: Member<'a>,
    /// The text.
    #[schemars(with = "Option<String>")]
    content: Member<'a>,
    /// The model that wrote it.
    #[schemars(with = "Option<String>")]
    model: Member<'a>,
}

/// A conversation was annotated. The latest annotation holds, and replaces the ones before as a whole.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "'de: 'a"))]
#[schemars(rename = "Annotation")]
pub(super) struct WireAnnotation<'a> {
    /// The conversation that is annotated.
    #[schemars(with = "HyphenatedUuid")]
    conversation_id: Member<'a>,
    /// What it is about.
    #[schemars(with = "Vec<WireTopic<'a>>")]
    topics: Member<'a>,
    /// How its user felt.
    #[schemars(with = "Sentiment")]
    user_sentiment: Member<'a>,
    /// When it was annotated.
    #[schemars(with = "Instant")]
    annotated_at: Member<'a>,
}

/// What a conversation is about.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Topic")]
struct WireTopic<'a> {
    /// Its name.
    #[serde(borrow)]
    #[schemars(with = "Name")]
    name: Member<'a>,
}

/// A user registered. The earliest registration of a user holds.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "'de: 'a"))]
#[schemars(rename = "Registration")]
pub(super) struct WireRegistration<'a> {
    /// The user.
    #[schemars(with = "Id")]
    user_id: Member<'a>,
    /// When.
    #[schemars(with = "Instant")]
    registered_at: Member<'a>,
}

/// A user is to be forgotten: their messages and registrations up to an instant, and the conversations in which nobody else
/// spoke. What comes later counts.
#[derive(Deserialize, JsonSchema)]
#[serde(bound(deserialize = "'de: 'a"))]
#[schemars(rename = "Erasure")]
pub(super) struct WireErasure<'a> {
    /// The user.
    #[schemars(with = "Id")]
    user_id: Member<'a>,
    /// Up to when.
    #[schemars(with = "Instant")]
    erased_at: Member<'a>,
}

impl<'a> WireMessage<'a> {
    fn message(self) -> Result<Message<'a>, Rejection> {
        Ok(Message {
            message_id: uuid(Field::Named("data.message_id"), self.message_id)?,
            conversation_id: uuid(Field::Named("data.conversation_id"), self.conversation_id)?,
            role: role(self.role)?,
            user_id: speaker(self.user_id)?,
            mentor_id: mentor(self.mentor_id)?,
            content: json::optional_text(Field::Named("data.content"), self.content)?.unwrap_or_default(),
            model: json::optional_text(Field::Named("data.model"), self.model)?
                .filter(|model| !model.is_empty()),
        })
    }
}

impl<'a> WireAnnotation<'a> {
    fn annotation(self, now: Timestamp) -> Result<Annotation<'a>, Rejection> {
        Ok(Annotation {
            conversation_id: uuid(Field::Named("data.conversation_id"), self.conversation_id)?,
            topics: topics(self.topics)?,
            user_sentiment: sentiment(self.user_sentiment)?,
            annotated_at: required_timestamp(ANNOTATED_AT, self.annotated_at, now)?,
        })
    }
}

impl<'a> WireRegistration<'a> {
    fn registration(self, now: Timestamp) -> Result<Registration<'a>, Rejection> {
        Ok(Registration {
            user_id: user(self.user_id)?,
            registered_at: required_timestamp(REGISTERED_AT, self.registered_at, now)?,
        })
    }
}

impl<'a> WireErasure<'a> {
    fn erasure(self, now: Timestamp) -> Result<Erasure<'a>, Rejection> {
        Ok(Erasure {
            user_id: user(self.user_id)?,
            erased_at: required_timestamp(ERASED_AT, self.erased_at, now)?,
        })
    }
}

pub(super) const ANNOTATED_AT: Field = Field::Named("data.annotated_at");
pub(super) const REGISTERED_AT: Field = Field::Named("data.registered_at");
pub(super) const ERASED_AT: Field = Field::Named("data.erased_at");
const USER_ID: Field = Field::Named("data.user_id");
const MENTOR_ID: Field = Field::Named("data.mentor_id");

/// The user who registered, or is to be forgotten.
pub(super) fn user(member: Member<'_>) -> Result<Cow<'_, str>, Rejection> {
    id(USER_ID, member)
}

/// The user of a message; none where it is anonymous.
pub(super) fn speaker(member: Member<'_>) -> Result<Option<Cow<'_, str>>, Rejection> {
    match user(member) {
        Err(Rejection::Missing(_) | Rejection::Empty(_)) => Ok(None),
        user_id => user_id.map(Some),
    }
}

/// The mentor of a message, if it names one.
pub(super) fn mentor(member: Member<'_>) -> Result<Option<Cow<'_, str>>, Rejection> {
    match id(MENTOR_ID, member) {
        Err(Rejection::Missing(_)) => Ok(None),
        mentor_id => mentor_id.map(Some),
    }
}

/// The id of a user or mentor.
fn id(field: Field, member: Member<'_>) -> Result<Cow<'_, str>, Rejection> {
    name(field, text_or_integer(field, json::required(field, member)?)?)
}

/// A string, or an integer of any size by its decimal digits.
pub(super) fn text_or_integer(field: Field, raw: &RawValue) -> Result<Cow<'_, str>, Rejection> {
    match json::type_name(raw) {
        STRING => json::string(field, raw),
        NUMBER => integer(field, raw.get()).map(Cow::Borrowed),
        found => Err(Rejection::WrongType {
            field,
            expected: "a string or an integer",
            found,
        }),
    }
}

/// The decimal digits of a JSON number, which must be written as an integer.
fn integer(field: Field, number: &str) -> Result<&str, Rejection> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::NotAnInteger(field));
    }
    Ok(if digits == "0" { digits } else { number })
}

/// A text of 1 to 255 characters.
fn name(field: Field, text: Cow<'_, str>) -> Result<Cow<'_, str>, Rejection> {
    if text.is_empty() {
        Err(Rejection::Empty(field))
    } else if text.len() > NAME_LIMIT && text.chars().count() > NAME_LIMIT {
        Err(Rejection::TooLong {
            field,
            limit: NAME_LIMIT,
        })
    } else {
        Ok(text)
    }
}

fn uuid(field: Field, member: Member<'_>) -> Result<Uuid, Rejection> {
    parse_uuid(&json::text(field, member)?).ok_or(Rejection::NotAUuid(field))
}

/// Reads a UUID with its hyphens.
pub(super) fn parse_uuid(text: &str) -> Option<Uuid> {
    /// Of the forms that the parser takes, only the hyphenated one is this long.
    const HYPHENATED: usize = 36;
    (text.len() == HYPHENATED)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

fn role(member: Member<'_>) -> Result<Role, Rejection> {
    let text = json::text(Field::Named("data.role"), member)?;
    text.parse().map_err(|_| Rejection::UnknownRole)
}

fn sentiment(member: Member<'_>) -> Result<Sentiment, Rejection> {
    let text = json::text(Field::Named("data.user_sentiment"), member)?;
    text.parse().map_err(|_| Rejection::UnknownSentiment)
}

fn required_timestamp(field: Field, member: Member<'_>, now: Timestamp) -> Result<Timestamp, Rejection> {
    timestamp(field, &json::text(field, member)?, now)
}

/// The names of an annotation's topics.
pub(super) fn topics(member: Member<'_>) -> Result<Vec<Cow<'_, str>>, Rejection> {
    const TOPICS: Field = Field::Named("data.topics");
    let raw = json::required(TOPICS, member)?;
    match json::type_name(raw) {
        ARRAY => {}
        found => {
            return Err(Rejection::WrongType {
                field: TOPICS,
                expected: ARRAY,
                found,
            });
        }
    }
    let items: Vec<&RawValue> = json::parse(TOPICS, raw.get())?;
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| topic(index, item))
        .collect()
}

fn topic(index: usize, item: &RawValue) -> Result<Cow<'_, str>, Rejection> {
    let field = Field::TopicName(index);
    let topic: WireTopic<'_> = json::object(Field::Topic(index), item.get())?;
    name(field, json::text(field, topic.name)?)
}
