//! The events of an org, as sets of facts: by conversation and by user.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use events::{Annotation, Body, Event, Message, Registration, Role, Timestamp};
use uuid::Uuid;

/// What the events of one org say.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrgFacts {
    pub(crate) conversations: BTreeMap<Uuid, ConversationFacts>,
    /// Those who registered or wrote.
    pub(crate) users: BTreeMap<String, UserFacts>,
    /// Those who are to be forgotten, each with the latest instant up to which.
    erased: BTreeMap<String, Timestamp>,
}

/// What the events of one conversation say.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConversationFacts {
    pub(crate) messages: BTreeSet<MessageFact>,
    pub(crate) annotations: BTreeSet<AnnotationFact>,
}

/// What the events of one user say.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserFacts {
    pub(crate) registrations: BTreeSet<Timestamp>,
    /// Their messages of role `user`.
    pub(crate) messages: BTreeSet<UserMessage>,
}

/// A message of a conversation. The contract orders by time, message and content; what follows decides between
/// records that agree in those, so that every answer is a function of the set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MessageFact {
    pub(crate) time: Timestamp,
    pub(crate) message_id: Uuid,
    pub(crate) content: String,
    pub(crate) user_id: Option<String>,
    pub(crate) mentor_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) role: Role,
}

/// An annotation of a conversation. The contract orders by the instant and the event's id; what follows decides
/// between events that agree in those.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AnnotationFact {
    pub(crate) annotated_at: Timestamp,
    pub(crate) event_id: String,
    /// As it is spelled, for sentiments are ordered by the alphabet.
    pub(crate) user_sentiment: &'static str,
    pub(crate) topics: Vec<String>,
}

/// A message of role `user` by somebody who is not anonymous.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserMessage {
    pub(crate) time: Timestamp,
    pub(crate) mentor_id: Option<String>,
}

impl OrgFacts {
    /// Adds what an event of the org says.
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Message(message) => self.add_message(event.time, message),
            Body::Annotation(annotation) => self.add_annotation(&event.id, annotation),
            Body::Registration(registration) => self.add_registration(registration),
            Body::Erasure(erasure) => {
                let erased = self.erased.entry(erasure.user_id.clone().into_owned());
                let until = erased.or_insert(erasure.erased_at);
                *until = erasure.erased_at.max(*until);
            }
        }
    }

    /// What of it remains once those are forgotten who are to be.
    pub(crate) fn remaining(&self) -> Cow<'_, Self> {
        if self.erased.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut remaining = self.clone();
        for (user_id, until) in &self.erased {
            if let Some(user) = remaining.users.get_mut(user_id) {
                user.registrations.retain(|registered_at| registered_at > until);
                user.messages.retain(|message| message.time > *until);
            }
        }
        for conversation in remaining.conversations.values_mut() {
            conversation.forget(&self.erased);
        }
        Cow::Owned(remaining)
    }

    fn add_message(&mut self, time: Timestamp, message: &Message<'_>) {
        let mentor_id = message.mentor_id.as_deref().map(str::to_owned);
        if let (Role::User, Some(user_id)) = (message.role, &message.user_id) {
            let mentor_id = mentor_id.clone();
            self.user(user_id)
                .messages
                .insert(UserMessage { time, mentor_id });
        }
        self.conversations
            .entry(message.conversation_id)
            .or_default()
            .messages
            .insert(MessageFact {
                time,
                message_id: message.message_id,
                content: message.content.clone().into_owned(),
                user_id: message.user_id.as_deref().map(str::to_owned),
                mentor_id,
                model: message.model.as_deref().map(str::to_owned),
                role: message.role,
            });
    }

    fn add_annotation(&mut self, event_id: &str, annotation: &Annotation<'_>) {
        self.conversations
            .entry(annotation.conversation_id)
            .or_default()
            .annotations
            .insert(AnnotationFact {
                annotated_at: annotation.annotated_at,
                event_id: event_id.to_owned(),
                user_sentiment: annotation.user_sentiment.as_str(),
                topics: annotation.topics.iter().cloned().map(Cow::into_owned).collect(),
            });
    }

    fn add_registration(&mut self, registration: &Registration<'_>) {
        self.user(&registration.user_id)
            .registrations
            .insert(registration.registered_at);
    }

    fn user(&mut self, user_id: &str) -> &mut UserFacts {
        self.users.entry(user_id.to_owned()).or_default()
    }
}

impl ConversationFacts {
    /// Takes away what those said who are to be forgotten; and, up to the latest instant of one besides whom nobody speaks who
    /// is left, what names nobody and what was annotated.
    fn forget(&mut self, erased: &BTreeMap<String, Timestamp>) {
        let mut forgotten = BTreeMap::new();
        self.messages.retain(|message| {
            let until = message
                .user_id
                .as_ref()
                .and_then(|user| erased.get_key_value(user));
            let until = until.filter(|(_, until)| message.time <= **until);
            forgotten.extend(until);
            until.is_none()
        });
        let others_than = |user: &String| {
            let mut named = self
                .messages
                .iter()
                .filter_map(|message| message.user_id.as_ref());
            named.any(|other| other != user)
        };
        let alone = forgotten.into_iter().filter(|(user, _)| !others_than(user));
        if let Some(until) = alone.map(|(_, until)| *until).max() {
            self.messages
                .retain(|message| message.user_id.is_some() || message.time > until);
            self.annotations
                .retain(|annotation| annotation.annotated_at > until);
        }
    }
}
