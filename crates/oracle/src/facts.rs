//! The set of events, as sets of facts: by org, and there by conversation and by user.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use events::{Annotation, Body, Event, Message, Registration, Role, Timestamp};
use uuid::Uuid;

/// All that the events of the set say.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    orgs: BTreeMap<String, OrgFacts>,
}

/// What the events of one org say.
#[derive(Debug, Default)]
pub(crate) struct OrgFacts {
    pub(crate) conversations: BTreeMap<Uuid, ConversationFacts>,
    /// Those who registered or wrote.
    pub(crate) users: BTreeMap<String, UserFacts>,
}

/// What the events of one conversation say.
#[derive(Debug, Default)]
pub(crate) struct ConversationFacts {
    pub(crate) messages: BTreeSet<MessageFact>,
    pub(crate) annotations: BTreeSet<AnnotationFact>,
}

/// What the events of one user say.
#[derive(Debug, Default)]
pub(crate) struct UserFacts {
    pub(crate) registrations: BTreeSet<Timestamp>,
    /// Their messages of role `user`.
    pub(crate) messages: BTreeSet<UserMessage>,
}

/// A message of a conversation. The contract orders by time, message and content; what follows decides between
/// records that agree in those, so that every answer is a function of the set.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AnnotationFact {
    pub(crate) annotated_at: Timestamp,
    pub(crate) event_id: String,
    /// As it is spelled, for sentiments are ordered by the alphabet.
    pub(crate) user_sentiment: &'static str,
    pub(crate) topics: Vec<String>,
}

/// A message of role `user` by somebody who is not anonymous.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserMessage {
    pub(crate) time: Timestamp,
    pub(crate) mentor_id: Option<String>,
}

impl Facts {
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        let org = entry(&mut self.orgs, &event.org);
        match &event.body {
            Body::Message(message) => org.add_message(event.time, message),
            Body::Annotation(annotation) => org.add_annotation(&event.id, annotation),
            Body::Registration(registration) => org.add_registration(registration),
        }
    }

    pub(crate) fn org(&self, org: &str) -> Option<&OrgFacts> {
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
