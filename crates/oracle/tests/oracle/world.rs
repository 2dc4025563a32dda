//! A small world of a few events, and what the oracle answers about it.

use events::{
    Annotation, Body, Conversation, DateRange, Erasure, Event, Grain, Message, NewUsersBy, Registration,
    Role, Sentiment, Timestamp, TranscriptFilter,
};
use oracle::Oracle;
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub(crate) fn range(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

/// A message of the conversation 1 in the org acme, by ada to euclid at noon of 2024-01-01, a Monday.
pub(crate) fn message(id: u128) -> Message<'static> {
    Message {
        message_id: Uuid::from_u128(id),
        conversation_id: Uuid::from_u128(1),
        role: Role::User,
        user_id: Some("ada".into()),
        mentor_id: Some("euclid".into()),
        content: "hello".into(),
        model: None,
    }
}

pub(crate) fn at_noon() -> Timestamp {
    at("2024-01-01T12:00:00Z")
}

#[derive(Default)]
pub(crate) struct World(pub(crate) Oracle);

impl World {
    pub(crate) fn event(mut self, id: &'static str, time: Timestamp, body: Body<'static>) -> Self {
        self.0.add(&Event {
            org: "acme".into(),
            id: id.into(),
            time,
            body,
        });
        self
    }

    pub(crate) fn say(self, time: Timestamp, message: Message<'static>) -> Self {
        self.event("m", time, Body::Message(message))
    }

    /// A user's message to a mentor, in a conversation of its own.
    pub(crate) fn active(self, user_id: &'static str, mentor_id: &'static str, time: &str) -> Self {
        let id = u128::from(at(time).as_millis().unsigned_abs());
        let user_id = Some(user_id.into());
        let mentor_id = Some(mentor_id.into());
        self.say(
            at(time),
            Message {
                user_id,
                mentor_id,
                conversation_id: Uuid::from_u128(id),
                ..message(id)
            },
        )
    }

    pub(crate) fn register(self, user_id: &'static str, registered_at: &str) -> Self {
        let registration = Registration {
            user_id: user_id.into(),
            registered_at: at(registered_at),
        };
        self.event("r", at_noon(), Body::Registration(registration))
    }

    pub(crate) fn erase(self, user_id: &'static str, erased_at: &str) -> Self {
        let erasure = Erasure {
            user_id: user_id.into(),
            erased_at: at(erased_at),
        };
        self.event("e", at_noon(), Body::Erasure(erasure))
    }

    pub(crate) fn annotate(
        self,
        id: &'static str,
        annotated_at: &str,
        topics: &[&'static str],
        user_sentiment: Sentiment,
    ) -> Self {
        let topics = topics.iter().map(|topic| (*topic).into()).collect();
        let annotated_at = at(annotated_at);
        let annotation = Annotation {
            conversation_id: Uuid::from_u128(1),
            topics,
            user_sentiment,
            annotated_at,
        };
        self.event(id, at_noon(), Body::Annotation(annotation))
    }

    pub(crate) fn listed(&self, filter: &TranscriptFilter) -> Vec<Conversation> {
        self.0.transcripts("acme", filter)
    }

    pub(crate) fn only(&self) -> Conversation {
        let mut listed = self.listed(&TranscriptFilter::default());
        assert_eq!(listed.len(), 1);
        listed.remove(0)
    }

    pub(crate) fn usage(&self, start: &str, end: &str, grain: Grain) -> Vec<u64> {
        self.0.usage_summary("acme", range(start, end), grain)
    }

    /// New users and veterans of each day of the range.
    pub(crate) fn cohorts(
        &self,
        (start, end): (&str, &str),
        mentor: Option<&str>,
        by: NewUsersBy,
    ) -> (Vec<u64>, Vec<u64>) {
        let counts = self.0.cohorts("acme", range(start, end), Grain::Day, mentor, by);
        counts
            .iter()
            .map(|count| (count.new_users, count.veteran_users))
            .unzip()
    }
}

pub(crate) fn later(millis: i64) -> Timestamp {
    Timestamp::from_millis(at_noon().as_millis() + millis)
}
