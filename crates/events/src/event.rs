//! The four kinds of chat event, borrowed from the bytes of their record where they can be.

use std::borrow::Cow;

use schemars::JsonSchema;
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use crate::Timestamp;

/// A valid chat event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The organisation that it belongs to: 1 to 64 of `[A-Za-z0-9._-]`.
    pub org: Cow<'a, str>,
    /// The CloudEvents attribute `id`; never empty.
    pub id: Cow<'a, str>,
    /// The CloudEvents attribute `time`.
    pub time: Timestamp,
    /// What happened.
    pub body: Body<'a>,
}

/// What happened, by event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// `chat.message.created.v1`
    Message(Message<'a>),
    /// `chat.conversation.annotated.v1`
    Annotation(Annotation<'a>),
    /// `chat.user.registered.v1`
    Registration(Registration<'a>),
    /// `chat.user.erased.v1`
    Erasure(Erasure<'a>),
}

/// A message was written in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Identifies the message within its organisation.
    pub message_id: Uuid,
    /// The conversation that it belongs to.
    pub conversation_id: Uuid,
    /// Who wrote it.
    pub role: Role,
    /// The user who wrote it or is answered; `None` for an anonymous message.
    pub user_id: Option<Cow<'a, str>>,
    /// The mentor of the conversation.
    pub mentor_id: Option<Cow<'a, str>>,
    /// The text; empty where the event names none.
    pub content: Cow<'a, str>,
    /// The model that wrote it; `None` where the event names none or an empty one.
    pub model: Option<Cow<'a, str>>,
}

/// A conversation was annotated with topics and a sentiment, which replace its earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// The conversation that is annotated.
    pub conversation_id: Uuid,
    /// The names of its topics, in the event's order, each of 1 to 255 characters.
    pub topics: Vec<Cow<'a, str>>,
    /// How its user felt.
    pub user_sentiment: Sentiment,
    /// When it was annotated: the latest annotation of a conversation counts.
    pub annotated_at: Timestamp,
}

/// A user registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration<'a> {
    /// The user, of 1 to 255 characters.
    pub user_id: Cow<'a, str>,
    /// When: the earliest registration of a user counts.
    pub registered_at: Timestamp,
}

/// A user is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure<'a> {
    /// The user, of 1 to 255 characters.
    pub user_id: Cow<'a, str>,
    /// Up to when: what they said later stays.
    pub erased_at: Timestamp,
}

impl Event<'_> {
    /// The event, without borrows from its record.
    pub fn into_owned(self) -> Event<'static> {
        Event {
            org: owned(self.org),
            id: owned(self.id),
            time: self.time,
            body: self.body.into_owned(),
        }
    }
}

impl Body<'_> {
    /// The body, without borrows from its record.
    pub fn into_owned(self) -> Body<'static> {
        match self {
            Self::Message(message) => Body::Message(Message {
                message_id: message.message_id,
                conversation_id: message.conversation_id,
                role: message.role,
                user_id: message.user_id.map(owned),
                mentor_id: message.mentor_id.map(owned),
                content: owned(message.content),
                model: message.model.map(owned),
            }),
            Self::Annotation(annotation) => Body::Annotation(Annotation {
                conversation_id: annotation.conversation_id,
                topics: annotation.topics.into_iter().map(owned).collect(),
                user_sentiment: annotation.user_sentiment,
                annotated_at: annotation.annotated_at,
            }),
            Self::Registration(registration) => Body::Registration(Registration {
                user_id: owned(registration.user_id),
                registered_at: registration.registered_at,
            }),
            Self::Erasure(erasure) => Body::Erasure(Erasure {
                user_id: owned(erasure.user_id),
                erased_at: erasure.erased_at,
            }),
        }
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, JsonSchema)]
#[strum(serialize_all = "lowercase")]
#[schemars(rename_all = "lowercase")]
pub enum Role {
    /// A user.
    User,
    /// The mentor's model.
    Assistant,
    /// The platform's instructions to the model.
    System,
    /// A tool that the model called.
    Tool,
}

/// How the user of a conversation felt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, JsonSchema)]
#[strum(serialize_all = "lowercase")]
#[schemars(rename_all = "lowercase")]
pub enum Sentiment {
    /// `positive`
    Positive,
    /// `negative`
    Negative,
    /// `neutral`
    Neutral,
}

impl Role {
    /// The role as events spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Sentiment {
    /// The sentiment as events and answers spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
