//! Events to be inserted, with what their messages add to the rollups.

use std::sync::Arc;

use events::{Body, Event, Timestamp, topic_key};

use crate::{
    erasures::{Erasures, Returned},
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
    /// Who was to be forgotten when it was opened.
    erasures: Arc<Erasures>,
    /// Who is from now on: the organisation, the user, and up to when.
    erased: Vec<(Symbol, Symbol, i64)>,
    /// What of those who are forgotten it may have, or others before it.
    returned: Vec<(Symbol, Returned)>,
    /// The time of the newest event.
    newest: Option<Timestamp>,
}

impl Batch {
    /// A batch without events.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn without(erasures: Arc<Erasures>) -> Self {
        Self {
            erasures,
            ..Self::default()
        }
    }

    /// Adds an event, unless it is of one who is forgotten; returns whether it did.
    pub fn append(&mut self, event: &Event<'_>) -> bool {
        self.newest = self.newest.max(Some(event.time));
        if let Some(returned) = self.erasures.returned(event) {
            self.returned.push((self.names.intern(&event.org), returned));
            return false;
        }
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
            Body::Erasure(erasure) => {
                let (org, user_id) = (&*event.org, &*erasure.user_id);
                let (of_org, user) = (self.names.intern(org), self.names.intern(user_id));
                self.erased.push((of_org, user, erasure.erased_at.as_millis()));
            }
        }
        true
    }

    /// The number of its events.
    pub fn len(&self) -> usize {
        self.messages.len() + self.annotations.len() + self.registrations.len() + self.erased.len()
    }

    /// Whether there is nothing to insert.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.returned.is_empty()
    }

    /// The memory that its events take, in bytes.
    pub fn bytes(&self) -> usize {
        // Each registration is in its row, and once more as that of its user.
        let registered = self.registrations.len() * REGISTERED_BYTES + self.registrations.bytes();
        let annotated = self.annotations.len() * ANNOTATED_BYTES;
        let returned = self.returned.len() * size_of::<(Symbol, Returned)>();
        let erased = self.erased.len() * size_of::<(Symbol, Symbol, i64)>();
        let rows = self.messages.bytes() + self.annotations.bytes() + self.registrations.bytes();
        self.names.bytes() + rows + registered + annotated + returned + erased
    }

    /// Closes the batch. The result can be inserted any number of times without being encoded again.
    pub fn seal(mut self) -> SealedBatch {
        self.registered.sort_unstable();
        // The earliest of each.
        self.registered.dedup_by_key(|(org, user, _)| (*org, *user));
        self.annotated.sort_unstable();
        self.annotated.dedup();
        self.returned.sort_unstable();
        self.returned.dedup();
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
            erased: self.erased,
            returned: self
                .returned
                .into_iter()
                .map(|(org, returned)| (text(org), returned))
                .collect(),
            erasures: self.erasures,
            conversations: sorted.conversation_ids(),
            names: sorted.names,
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
    /// Who is to be forgotten by its events.
    erased: Vec<(Symbol, Symbol, i64)>,
    /// What of those who are forgotten may be there, by organisation.
    pub(crate) returned: Vec<(String, Returned)>,
    /// Who was to be forgotten when it was opened.
    pub(crate) erasures: Arc<Erasures>,
    names: Names,
    /// The organisation and the id of each conversation with messages in it.
    conversations: Vec<(Symbol, u128)>,
    newest: Option<Timestamp>,
}

impl SealedBatch {
    /// Who is to be forgotten by its events: the organisation, the user, and up to when, in milliseconds since 1970.
    pub(crate) fn erased(&self) -> impl ExactSizeIterator<Item = (&str, &str, i64)> {
        let text = |symbol: &Symbol| self.names.text(*symbol);
        self.erased
            .iter()
            .map(move |(org, user, until)| (text(org), text(user), *until))
    }

    /// All names in it: organisations, users, mentors and models.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.texts()
    }

    /// Whether that is one of them.
    pub(crate) fn has_name(&self, text: &str) -> bool {
        self.names.contains(text)
    }

    /// The organisation and the id of each conversation that it is about.
    pub(crate) fn conversations(&self) -> impl Iterator<Item = (&str, u128)> {
        let spoken = self
            .conversations
            .iter()
            .map(|(org, id)| (self.names.text(*org), *id));
        spoken.chain(self.annotated.iter().map(|(org, id)| (org.as_str(), *id)))
    }

    /// The time of its newest event.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }
}
