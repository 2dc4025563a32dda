//! Events to be inserted, with what their messages add to the rollups.

use std::collections::{HashMap, HashSet};

use events::{Body, Event, topic_key};

use crate::{
    messages::Messages,
    tables::{AnnotationRow, AnnotationRows, Insert, RegistrationRow, RegistrationRows, Rows},
};

/// About what the registration of a user takes in a map, without the name, in bytes.
const REGISTERED_BYTES: usize = 80;

/// About what the id of a conversation takes in a set, in bytes.
const ANNOTATED_BYTES: usize = 40;

/// Events that are inserted together. Appending copies them: nothing borrows from their records afterwards.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Messages,
    annotations: AnnotationRows,
    registrations: RegistrationRows,
    registered: Registered,
    /// The conversations that are annotated, by organisation.
    annotated: HashMap<String, HashSet<u128>>,
}

/// The earliest registration of each user, by organisation.
type Registered = HashMap<String, HashMap<String, i64>>;

impl Batch {
    /// A batch without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub fn append(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Message(message) => self.messages.append(event, message),
            Body::Annotation(annotation) => {
                let topics = &annotation.topics;
                let topic_keys: Vec<_> = topics.iter().map(|name| topic_key(name).into()).collect();
                let conversation_id = annotation.conversation_id.as_u128();
                let of_org = match self.annotated.get_mut(&*event.org) {
                    Some(of_org) => of_org,
                    None => self.annotated.entry(event.org.to_string()).or_default(),
                };
                of_org.insert(conversation_id);
                self.annotations.push(AnnotationRow {
                    org: &event.org,
                    conversation_id,
                    annotated_at: annotation.annotated_at.as_millis(),
                    event_id: &event.id,
                    user_sentiment: annotation.user_sentiment.as_str(),
                    topics,
                    topic_keys: &topic_keys,
                });
            }
            Body::Registration(registration) => {
                let (org, user_id) = (&*event.org, &*registration.user_id);
                let registered_at = registration.registered_at.as_millis();
                self.registrations.push(RegistrationRow {
                    org,
                    user_id,
                    registered_at,
                });
                let of_org = match self.registered.get_mut(org) {
                    Some(of_org) => of_org,
                    None => self.registered.entry(org.to_owned()).or_default(),
                };
                let earliest = of_org.entry(user_id.to_owned()).or_insert(registered_at);
                *earliest = registered_at.min(*earliest);
            }
        }
    }

    /// The number of its events.
    pub fn len(&self) -> usize {
        self.messages.len() + self.annotations.len() + self.registrations.len()
    }

    /// Whether it has no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that its events take, in bytes.
    pub fn bytes(&self) -> usize {
        // Each registration is in its row, and once more as that of its user.
        let registered = self.registrations.len() * REGISTERED_BYTES + self.registrations.bytes();
        let annotated = self.annotations.len() * ANNOTATED_BYTES;
        self.messages.bytes() + self.annotations.bytes() + self.registrations.bytes() + registered + annotated
    }

    /// Closes the batch. The result can be inserted any number of times without being encoded again.
    pub fn seal(self) -> SealedBatch {
        let (messages, sorted) = self.messages.into_rows();
        let rollups = [
            sorted.users().into_insert(),
            sorted.conversations().into_insert(),
            sorted.conversation_days().into_insert(),
        ];
        let facts = [
            messages.into_insert(),
            self.annotations.into_insert(),
            self.registrations.into_insert(),
        ];
        SealedBatch {
            earliest: sorted.earliest(),
            facts: facts.into_iter().flatten().collect(),
            rollups: rollups.into_iter().flatten().collect(),
            activity: sorted.activity().into_insert(),
            registrations: self
                .registered
                .into_iter()
                .flat_map(|(org, users)| {
                    users
                        .into_iter()
                        .map(move |(user, registered_at)| (org.clone(), user, registered_at))
                })
                .collect(),
            annotated: self
                .annotated
                .into_iter()
                .flat_map(|(org, ids)| ids.into_iter().map(move |id| (org.clone(), id)))
                .collect(),
        }
    }
}

/// A batch that is ready to be inserted.
#[derive(Debug, Clone)]
pub struct SealedBatch {
    pub(crate) facts: Vec<Insert>,
    /// What its messages add to the rollups; the other facts have views for that.
    pub(crate) rollups: Vec<Insert>,
    /// Who was active. It goes last: of who is seen to be active it must be known since when.
    pub(crate) activity: Option<Insert>,
    /// When the earliest message of each organisation was sent, in milliseconds since 1970.
    pub(crate) earliest: Vec<(String, i64)>,
    /// The earliest registration of each user, likewise.
    pub(crate) registrations: Vec<(String, String, i64)>,
    /// The conversations that are annotated.
    pub(crate) annotated: Vec<(String, u128)>,
}
