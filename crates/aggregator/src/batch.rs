//! Events to be inserted, with what their messages add to the rollups.

use events::{Body, Event, Timestamp, topic_key};

use crate::{
    messages::Messages,
    names::{Names, Symbol},
    tables::{AnnotationRow, AnnotationRows, Insert, RegistrationRow, RegistrationRows, Rows},
};

/// About what the registration of a user takes besides its row, without the names, in bytes.
const REGISTERED_BYTES: usize = 80;

/// About what the id of a conversation takes besides the row of its annotation, in bytes.
const ANNOTATED_BYTES: usize = 64;

/// Events that are inserted together. Appending copies them: nothing borrows from their records afterwards.
#[derive(Debug, Default)]
pub struct Batch {
    names: Names,
    messages: Messages,
    annotations: AnnotationRows,
    registrations: RegistrationRows,
    /// The organisation, the user and the time of each registration.
    registered: Vec<(Symbol, Symbol, i64)>,
    /// The organisation and the conversation of each annotation.
    annotated: Vec<(Symbol, u128)>,
    /// The time of the newest event.
    newest: Option<Timestamp>,
}

impl Batch {
    /// A batch without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub fn append(&mut self, event: &Event<'_>) {
        self.newest = self.newest.max(Some(event.time));
        match &event.body {
            Body::Message(message) => self.messages.append(&mut self.names, event, message),
            Body::Annotation(annotation) => {
                let topics = &annotation.topics;
                let topic_keys: Vec<_> = topics.iter().map(|name| topic_key(name).into()).collect();
                let conversation_id = annotation.conversation_id.as_u128();
                self.annotated
                    .push((self.names.intern(&event.org), conversation_id));
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
                let (of_org, user) = (self.names.intern(org), self.names.intern(user_id));
                self.registered.push((of_org, user, registered_at));
                self.registrations.push(RegistrationRow {
                    org,
                    user_id,
                    registered_at,
                });
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
        let rows = self.messages.bytes() + self.annotations.bytes() + self.registrations.bytes();
        self.names.bytes() + rows + registered + annotated
    }

    /// Closes the batch. The result can be inserted any number of times without being encoded again.
    pub fn seal(mut self) -> SealedBatch {
        self.registered.sort_unstable();
        // The earliest of each.
        self.registered.dedup_by_key(|(org, user, _)| (*org, *user));
        self.annotated.sort_unstable();
        self.annotated.dedup();
        let (messages, sorted) = self.messages.into_rows(self.names);
        let text = |symbol| sorted.names.text(symbol).to_owned();
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
            newest: self.newest,
            earliest: sorted.earliest(),
            facts: facts.into_iter().flatten().collect(),
            rollups: rollups.into_iter().flatten().collect(),
            activity: sorted.activity().into_insert(),
            registrations: self
                .registered
                .into_iter()
                .map(|(org, user, registered_at)| (text(org), text(user), registered_at))
                .collect(),
            annotated: self
                .annotated
                .into_iter()
                .map(|(org, id)| (text(org), id))
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
    newest: Option<Timestamp>,
}

impl SealedBatch {
    /// The time of its newest event.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }
}
