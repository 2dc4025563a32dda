//! The answers that a set of events has, by the letter of the contract: slow, obvious, and what every rollup is
//! tested against.
//!
//! Events are kept as sets of facts. A fact's fields stand in the order that facts are compared in, so the
//! *earliest* message of a set is its first and the *latest* its last, and an event that comes twice or out of
//! order leaves the set as it was.

mod facts;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use events::{
    CohortCount, Conversation, DateRange, Event, Grain, NewUsersBy, Role, Timestamp, TranscriptFilter,
    folded_topic,
};
use facts::{ConversationFacts, OrgFacts, UserFacts};
use uuid::Uuid;

/// A set of events, and the answers that it has. An org that no event belongs to has the answers of an org in
/// which nothing happened.
#[derive(Debug, Default)]
pub struct Oracle {
    orgs: BTreeMap<String, OrgFacts>,
}

impl Oracle {
    /// Puts an event into the set, if it is not there yet.
    pub fn add(&mut self, event: &Event<'_>) {
        self.orgs.entry(event.org.to_string()).or_default().add(event);
    }

    /// Whether any event of the org is in the set. (That an org also exists once it is configured is not for
    /// events to say.)
    pub fn org_exists(&self, org: &str) -> bool {
        self.orgs.contains_key(org)
    }

    /// How many distinct users were active in each period of the range, in order. Whatever mentor a message is
    /// to, or none, it counts.
    pub fn usage_summary(&self, org: &str, range: DateRange, grain: Grain) -> Vec<u64> {
        let mut counts: Vec<u64> = range.periods(grain).map(|_| 0).collect();
        for user in self.facts(org).users.values() {
            for period in active_periods(user, range, grain, None) {
                counts[period] += 1;
            }
        }
        counts
    }

    /// How many users of each period of the range are new and how many are veterans, in order; with a mentor,
    /// as far as they were active with it.
    pub fn cohorts(
        &self,
        org: &str,
        range: DateRange,
        grain: Grain,
        mentor: Option<&str>,
        new_users_by: NewUsersBy,
    ) -> Vec<CohortCount> {
        let mut counts: Vec<CohortCount> = range
            .periods(grain)
            .map(|period| CohortCount {
                period,
                new_users: 0,
                veteran_users: 0,
            })
            .collect();
        for user in self.facts(org).users.values() {
            let Some(registered) = registered(user) else {
                continue;
            };
            let active = active_periods(user, range, grain, mentor);
            if registered < range.first_instant() {
                for period in active {
                    counts[period].veteran_users += 1;
                }
            } else if let Some(registered_in) = range.period_index(grain, registered) {
                match new_users_by {
                    NewUsersBy::Registration if mentor.is_none() || !active.is_empty() => {
                        counts[registered_in].new_users += 1;
                    }
                    NewUsersBy::Registration => {}
                    NewUsersBy::Activity => {
                        for period in active {
                            counts[period].new_users += 1;
                        }
                    }
                }
            }
        }
        counts
    }

    /// The conversations that pass the filter: newest `inserted_at` first, then by id.
    pub fn transcripts(&self, org: &str, filter: &TranscriptFilter) -> Vec<Conversation> {
        let mut listed: Vec<Conversation> = self
            .facts(org)
            .conversations
            .iter()
            .filter_map(|(id, facts)| conversation(*id, facts, filter))
            .collect();
        listed.sort_by_key(|conversation| (Reverse(conversation.inserted_at), conversation.id));
        listed
    }

    /// What is known of an org, once those are forgotten who are to be.
    fn facts(&self, org: &str) -> Cow<'_, OrgFacts> {
        self.orgs.get(org).map(OrgFacts::remaining).unwrap_or_default()
    }
}

/// The earliest `registered_at` among the user's registrations; with none, the time of their first `user`
/// message. A user named only by messages of other roles has neither.
fn registered(user: &UserFacts) -> Option<Timestamp> {
    let first_message = || user.messages.first().map(|message| message.time);
    user.registrations.first().copied().or_else(first_message)
}

/// The indices of the periods in which a message of role `user` by them, to that mentor if one is given, falls
/// in the range.
fn active_periods(user: &UserFacts, range: DateRange, grain: Grain, mentor: Option<&str>) -> BTreeSet<usize> {
    user.messages
        .iter()
        .filter(|message| mentor.is_none() || message.mentor_id.as_deref() == mentor)
        .filter_map(|message| range.period_index(grain, message.time))
        .collect()
}

/// The conversation as it is listed, if it has a message and passes the filter.
fn conversation(id: Uuid, facts: &ConversationFacts, filter: &TranscriptFilter) -> Option<Conversation> {
    let earliest = facts.messages.first()?;
    let earliest_of_user = facts.messages.iter().find(|message| message.role == Role::User);
    let annotation = facts.annotations.last();

    let topics = annotation
        .map(|annotation| annotation.topics.as_slice())
        .unwrap_or_default();
    let day = earliest.time.day();
    let passes = filter.start.is_none_or(|start| start <= day)
        && filter.end.is_none_or(|end| day <= end)
        && (filter.mentor.is_none() || earliest.mentor_id == filter.mentor)
        && (filter.topics.is_empty() || any_in_common(topics, &filter.topics));
    if !passes {
        return None;
    }

    let user_id = earliest_of_user.unwrap_or(earliest).user_id.as_deref();
    let counted: BTreeSet<_> = facts
        .messages
        .iter()
        .filter(|message| matches!(message.role, Role::User | Role::Assistant))
        .map(|message| message.message_id)
        .collect();
    let model = facts
        .messages
        .iter()
        .rev()
        .filter(|message| message.role == Role::Assistant)
        .find_map(|message| message.model.clone());
    Some(Conversation {
        id,
        user_id: user_id.unwrap_or("anonymous").to_owned(),
        first_message: earliest_of_user
            .map(|message| message.content.clone())
            .unwrap_or_default(),
        message_count: u64::try_from(counted.len()).unwrap_or(u64::MAX),
        model: model.unwrap_or_default(),
        inserted_at: earliest.time,
        topics: topics.to_vec(),
        user_sentiment: annotation.map_or("unknown", |annotation| annotation.user_sentiment),
    })
}

/// Whether two lists of topics share one, trimmed and by case folding.
fn any_in_common(topics: &[String], asked: &[String]) -> bool {
    let asked: BTreeSet<String> = asked.iter().map(|topic| folded_topic(topic)).collect();
    topics.iter().any(|topic| asked.contains(&folded_topic(topic)))
}
