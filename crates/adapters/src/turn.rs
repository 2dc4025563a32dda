//! What a user asked and what was answered, and the events of that.

use events::{Role, Timestamp};
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// The text of a message; none where it was not recorded.
pub(crate) type Text = Option<String>;

/// One question of a user and its answer.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) ids: Ids<'a>,
    /// Identifies the turn in the system that exported it.
    pub(crate) key: String,
    pub(crate) conversation_id: Uuid,
    pub(crate) user_id: Option<String>,
    pub(crate) mentor_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) asked: Vec<Text>,
    pub(crate) asked_at: Timestamp,
    pub(crate) answered: Vec<Text>,
    /// None where it was not recorded.
    pub(crate) answered_at: Option<Timestamp>,
    /// What the conversation is about, where this is known.
    pub(crate) topics: Vec<String>,
}

/// Makes the ids of what a system exports for an organisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    /// Of the system.
    pub(crate) namespace: Uuid,
    /// The attribute `source` of its events.
    pub(crate) source: &'static str,
    pub(crate) org: &'a str,
}

impl Ids<'_> {
    /// The id of a conversation: its own if that is a UUID.
    pub(crate) fn conversation(self, id: &str) -> Uuid {
        let own = if id.len() == 36 {
            Uuid::try_parse(id).ok()
        } else {
            None
        };
        own.unwrap_or_else(|| self.derived("conversation", id))
    }

    /// The id of a conversation that nothing names, of one trace.
    pub(crate) fn conversation_of_trace(self, id: &str) -> Uuid {
        self.derived("trace", id)
    }

    /// No organisation has a slash in its name, and no kind.
    fn derived(self, kind: &str, id: &str) -> Uuid {
        Uuid::new_v5(&self.namespace, format!("{kind}/{}/{id}", self.org).as_bytes())
    }
}

impl Turn<'_> {
    /// Its events: messages, and an annotation where there are topics.
    pub(crate) fn events(&self) -> Vec<String> {
        // An answer follows its question, also where the two have the same time.
        let earliest = Timestamp::from_millis(self.asked_at.as_millis().saturating_add(1));
        let answered_at = self.answered_at.map_or(earliest, |time| time.max(earliest));
        let asked = (0..).zip(&self.asked);
        let asked = asked.map(|(position, text)| self.message(Role::User, position, text, self.asked_at));
        let answered = (0..).zip(&self.answered);
        let answered =
            answered.map(|(position, text)| self.message(Role::Assistant, position, text, answered_at));
        let messages = asked.chain(answered);
        messages.chain(self.annotation()).collect()
    }

    fn message(&self, role: Role, position: u32, text: &Text, time: Timestamp) -> String {
        let id = self
            .ids
            .derived(role.as_str(), &format!("{}/{position}", self.key));
        let is_answer = role == Role::Assistant;
        let data = MessageData {
            message_id: id,
            conversation_id: self.conversation_id,
            role: role.as_str(),
            user_id: self.user_id.as_deref(),
            mentor_id: self.mentor_id.as_deref(),
            content: text.as_deref(),
            model: self.model.as_deref().filter(|_| is_answer),
        };
        self.event(id, "chat.message.created.v1", time, data)
    }

    fn annotation(&self) -> Option<String> {
        let data = AnnotationData {
            conversation_id: self.conversation_id,
            topics: self.topics.iter().map(|name| Topic { name }).collect(),
            user_sentiment: "neutral",
            annotated_at: self.asked_at.to_rfc3339(),
        };
        let id = self.ids.derived("annotation", &self.key);
        (!self.topics.is_empty())
            .then(|| self.event(id, "chat.conversation.annotated.v1", self.asked_at, data))
    }

    fn event(&self, id: Uuid, event_type: &str, time: Timestamp, data: impl Serialize) -> String {
        let event = CloudEvent {
            specversion: "1.0",
            id,
            source: self.ids.source,
            event_type,
            time: time.to_rfc3339(),
            org: self.ids.org,
            data,
        };
        serde_json::to_string(&event).expect("texts and UUIDs are written as JSON without fail")
    }
}

#[derive(Serialize)]
struct CloudEvent<'a, T> {
    specversion: &'a str,
    #[serde(serialize_with = "hyphenated")]
    id: Uuid,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    time: String,
    org: &'a str,
    data: T,
}

#[derive(Serialize)]
struct MessageData<'a> {
    #[serde(serialize_with = "hyphenated")]
    message_id: Uuid,
    #[serde(serialize_with = "hyphenated")]
    conversation_id: Uuid,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mentor_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

#[derive(Serialize)]
struct AnnotationData<'a> {
    #[serde(serialize_with = "hyphenated")]
    conversation_id: Uuid,
    topics: Vec<Topic<'a>>,
    user_sentiment: &'a str,
    annotated_at: String,
}

#[derive(Serialize)]
struct Topic<'a> {
    name: &'a str,
}

fn hyphenated<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
