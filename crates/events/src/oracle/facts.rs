//! The set of events, as sets of facts: by org, and there by conversation and by user.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{Annotation, Body, Event, Message, Registration, Role, Timestamp};

/// All that the events of the set say.
#[derive(Debug, Default)]
pub(super) struct Facts {
    orgs: BTreeMap<String, OrgFacts>,
}

/// What the events of one org say.
#[derive(Debug, Default)]
pub(super) struct OrgFacts {
    pub(super) conversations: BTreeMap<Uuid, ConversationFacts>,
    /// Those who registered or wrote.
    pub(super) users: BTreeMap<String, UserFacts>,
}

/// What the events of one conversation say.
#[derive(Debug, Default)]
pub(super) struct ConversationFacts {
    pub(super) messages: BTreeSet<MessageFact>,
    pub(super) annotations: BTreeSet<AnnotationFact>,
}

/// What the events of one user say.
#[derive(Debug, Default)]
pub(super) struct UserFacts {
    pub(super) registrations: BTreeSet<Timestamp>,
    /// Their messages of role `user`.
    pub(super) messages: BTreeSet<UserMessage>,
}

/// A message of a conversation. The contract orders by time, message and content; what follows decides between
/// records that agree in those, so that every answer is a function of the set.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MessageFact {
    pub(super) time: Timestamp,
    pub(super) message_id: Uuid,
    pub(super) content: String,
    pub(super) user_id: Option<String>,
    pub(super) mentor_id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) role: Role,
}

/// An annotation of a conversation. The contract orders by the instant and the event's id; what follows decides
/// between events that agree in those.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AnnotationFact {
    pub(super) annotated_at: Timestamp,
    pub(super) event_id: String,
    /// As it is spelled, for sentiments are ordered by the alphabet.
    pub(super) user_sentiment: &'static str,
    pub(super) topics: Vec<String>,
}

/// A message of role `user` by somebody who is not anonymous.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UserMessage {
    pub(super) time: Timestamp,
    pub(super) mentor_id: Option<String>,
}

impl Facts {
    pub(super) fn add(&mut self, event: &Event<'_>) {
        let org = entry(&mut self.orgs, &event.org);
        match &event.body {
            Body::Message(message) => org.add_message(event.time, message),
            Body::Annotation(annotation) => org.add_annotation(&event.id, annotation),
            Body::Registration(registration) => org.add_registration(registration),
        }
    }

    pub(super) fn org(&self, org: &str) -> Option<&OrgFacts> {
        self.orgs.get(org)
    }
}

impl OrgFacts {
    fn add_message(&mut self, time: Timestamp, message: &Message<'_>) {
        let mentor_id = message.mentor_id.as_deref().map(str::to_owned);
        if let (Role::User, Some(user_id)) = (message.role, &message.user_id) {
            let mentor_id = mentor_id.clone();
            entry(&mut self.users, user_id)
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
        entry(&mut self.users, &registration.user_id)
            .registrations
            .insert(registration.registered_at);
    }
}

/// The entry of that name, made empty if it is not there.
fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> &'m mut V {
    map.entry(name.to_owned()).or_default()
}
