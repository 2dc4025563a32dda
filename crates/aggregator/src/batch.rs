//! Events on their way into the fact tables, with what their messages add to the rollups.

use bytes::Bytes;
use events::{Annotation, Body, Event, Registration};

use crate::messages::Messages;
use crate::native::{ArrayColumn, Block, Column};

/// Statements that a block follows, in the order of its columns.
mod insert {
    pub(super) const MESSAGES: &str = "INSERT INTO messages (org, conversation_id, time, message_id, role, user_id, \
                                       mentor_id, content, model) FORMAT Native";
    pub(super) const ANNOTATIONS: &str = "INSERT INTO annotations (org, conversation_id, annotated_at, event_id, \
                                          user_sentiment, topics, topic_keys) FORMAT Native";
    pub(super) const REGISTRATIONS: &str =
        "INSERT INTO registrations (org, user_id, registered_at) FORMAT Native";
    pub(super) const ACTIVITY: &str =
        "INSERT INTO incoming_activity (org, mentor_id, period, user_id) FORMAT Native";
    pub(super) const USERS: &str =
        "INSERT INTO incoming_users (org, user_id, first_message_at) FORMAT Native";
    pub(super) const CONVERSATIONS: &str = "INSERT INTO conversations (org, conversation_id, first, least_mentor, \
                                            greatest_mentor) FORMAT Native";
    pub(super) const CONVERSATION_DAYS: &str =
        "INSERT INTO conversation_days (org, day, conversation_id, first) FORMAT Native";
}

/// Events that are inserted together. Appending copies them: nothing borrows from their records afterwards.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Messages,
    annotations: Annotations,
    registrations: Registrations,
}

impl Batch {
    /// A batch without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub fn append(&mut self, event: &Event<'_>) {
        match &event.body {
            Body::Message(message) => self.messages.append(event, message),
            Body::Annotation(annotation) => self.annotations.append(event, annotation),
            Body::Registration(registration) => self.registrations.append(event, registration),
        }
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.messages.len() + self.annotations.rows + self.registrations.rows
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that its events take, in bytes.
    pub fn bytes(&self) -> usize {
        self.messages.bytes() + self.annotations.bytes() + self.registrations.bytes()
    }

    /// Closes the batch: what comes out can be inserted any number of times without being encoded again.
    pub fn seal(self) -> SealedBatch {
        let (messages, sorted) = self.messages.into_block();
        let rollups = [
            Insert::of(insert::ACTIVITY, sorted.activity()),
            Insert::of(insert::USERS, sorted.users()),
            Insert::of(insert::CONVERSATIONS, sorted.conversations()),
            Insert::of(insert::CONVERSATION_DAYS, sorted.days()),
        ];
        let facts = [
            Insert::of(insert::MESSAGES, messages),
            Insert::of(insert::ANNOTATIONS, self.annotations.into_block()),
            Insert::of(insert::REGISTRATIONS, self.registrations.into_block()),
        ];
        SealedBatch {
            facts: facts.into_iter().flatten().collect(),
            rollups: rollups.into_iter().flatten().collect(),
        }
    }
}

/// A batch that is ready to be inserted.
#[derive(Debug, Clone)]
pub struct SealedBatch {
    pub(crate) facts: Vec<Insert>,
    /// What its messages add to the rollups; the other facts have views for that.
    pub(crate) rollups: Vec<Insert>,
}

/// A statement and the block that follows it.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) statement: &'static str,
    pub(crate) pieces: Vec<Bytes>,
}

impl Insert {
    /// None where the block has no rows.
    fn of(statement: &'static str, block: Block) -> Option<Self> {
        (!block.is_empty()).then(|| Self {
            statement,
            pieces: block.into_pieces(),
        })
    }
}

#[derive(Debug)]
struct Annotations {
    rows: usize,
    org: Column,
    conversation_id: Column,
    annotated_at: Column,
    event_id: Column,
    user_sentiment: Column,
    topics: ArrayColumn,
    topic_keys: ArrayColumn,
}

impl Default for Annotations {
    fn default() -> Self {
        Self {
            rows: 0,
            org: Column::new("org", "String"),
            conversation_id: Column::new("conversation_id", "UInt128"),
            annotated_at: Column::new("annotated_at", "Int64"),
            event_id: Column::new("event_id", "String"),
            user_sentiment: Column::new("user_sentiment", "String"),
            topics: ArrayColumn::new("topics", "Array(String)"),
            topic_keys: ArrayColumn::new("topic_keys", "Array(String)"),
        }
    }
}

impl Annotations {
    fn append(&mut self, event: &Event<'_>, annotation: &Annotation<'_>) {
        self.rows += 1;
        self.org.push_str(&event.org);
        self.conversation_id
            .push_u128(annotation.conversation_id.as_u128());
        self.annotated_at.push_i64(annotation.annotated_at.as_millis());
        self.event_id.push_str(&event.id);
        self.user_sentiment.push_str(annotation.user_sentiment.as_str());
        self.topics.push_strs(annotation.topics.iter().map(AsRef::as_ref));
        let keys: Vec<String> = annotation
            .topics
            .iter()
            .map(|topic| events::topic_key(topic))
            .collect();
        self.topic_keys.push_strs(keys.iter().map(String::as_str));
    }

    fn bytes(&self) -> usize {
        self.org.len()
            + self.conversation_id.len()
            + self.annotated_at.len()
            + self.event_id.len()
            + self.user_sentiment.len()
            + self.topics.len()
            + self.topic_keys.len()
    }

    fn into_block(self) -> Block {
        Block::new(7, self.rows)
            .column(self.org)
            .column(self.conversation_id)
            .column(self.annotated_at)
            .column(self.event_id)
            .column(self.user_sentiment)
            .array(self.topics)
            .array(self.topic_keys)
    }
}

#[derive(Debug)]
struct Registrations {
    rows: usize,
    org: Column,
    user_id: Column,
    registered_at: Column,
}

impl Default for Registrations {
    fn default() -> Self {
        Self {
            rows: 0,
            org: Column::new("org", "String"),
            user_id: Column::new("user_id", "String"),
            registered_at: Column::new("registered_at", "Int64"),
        }
    }
}

impl Registrations {
    fn append(&mut self, event: &Event<'_>, registration: &Registration<'_>) {
        self.rows += 1;
        self.org.push_str(&event.org);
        self.user_id.push_str(&registration.user_id);
        self.registered_at
            .push_i64(registration.registered_at.as_millis());
    }

    fn bytes(&self) -> usize {
        self.org.len() + self.user_id.len() + self.registered_at.len()
    }

    fn into_block(self) -> Block {
        Block::new(3, self.rows)
            .column(self.org)
            .column(self.user_id)
            .column(self.registered_at)
    }
}
