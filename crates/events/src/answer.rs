//! What the three endpoints ask for and what they return, in plain values: the rollups and the oracle of the tests
//! use the same types, so that their answers can be compared.

use unicase::UniCase;
use uuid::Uuid;

use crate::{Day, Period, Timestamp};

/// Which conversations `transcripts` lists. An absent filter excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TranscriptFilter {
    /// The first day that `inserted_at` may fall on.
    pub start: Option<Day>,
    /// The last day that `inserted_at` may fall on.
    pub end: Option<Day>,
    /// The mentor of the conversation.
    pub mentor: Option<String>,
    /// Topics, any of which the conversation must have; as [`folded_topic`] has them.
    /// Empty: no filter.
    pub topics: Vec<String>,
}

/// A conversation, as `transcripts` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: Uuid,
    /// The user of its earliest user message, else of its earliest message; `anonymous` if none.
    pub user_id: String,
    /// The text of its earliest user message, or nothing.
    pub first_message: String,
    /// The number of distinct messages of users and assistants.
    pub message_count: u64,
    /// The model of its latest assistant message that names one, or nothing.
    pub model: String,
    /// The time of its earliest message.
    pub inserted_at: Timestamp,
    /// The names of its topics by its latest annotation, in the order given there.
    pub topics: Vec<String>,
    /// `positive`, `negative` or `neutral` by its latest annotation; `unknown` until there is one.
    pub user_sentiment: &'static str,
}

/// How far ingestion is, of all organisations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The time of the newest event that is settled.
    pub newest_event_at: Option<Timestamp>,
    /// How long ago that was, in milliseconds.
    pub age_millis: Option<u64>,
    /// How many records wait that are not settled.
    pub lag: u64,
    /// How many records were rejected so far.
    pub rejected: u64,
    /// When ingestion has reported this; none where it never has.
    pub as_of: Option<Timestamp>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationMessage {
    /// Its id.
    pub id: Uuid,
    /// `user`, `assistant`, `system` or `tool`.
    pub role: String,
    /// Whose it is; empty if nobody is named.
    pub user_id: String,
    /// The mentor; empty if none is named.
    pub mentor_id: String,
    /// Its text.
    pub content: String,
    /// The model; empty if none is named.
    pub model: String,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Which records of messages are exported. An absent filter excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// The first day that a message may fall on.
    pub start: Option<Day>,
    /// The last day that a message may fall on.
    pub end: Option<Day>,
    /// The mentor that it is to, or of.
    pub mentor: Option<String>,
}

/// A record of a message: of a message that was edited there are several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// The id of the message.
    pub message_id: Uuid,
    /// The conversation that it is in.
    pub conversation_id: Uuid,
    /// When it was sent.
    pub time: Timestamp,
    /// `user`, `assistant`, `system` or `tool`.
    pub role: String,
    /// Whose it is; empty if nobody is named.
    pub user_id: String,
    /// The mentor; empty if none is named.
    pub mentor_id: String,
    /// Its text.
    pub content: String,
    /// The model; empty if none is named.
    pub model: String,
}

/// The place of a conversation in the list of `transcripts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The time of its earliest message.
    pub inserted_at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// How `user-cohorts-over-time` counts new users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewUsersBy {
    /// In the period that their registration falls in, active or not.
    #[default]
    Registration,
    /// In every period that they are active in, if they registered within the range.
    Activity,
}

/// New and veteran users of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortCount {
    /// The period.
    pub period: Period,
    /// Users who registered within the range; [`NewUsersBy`] decides which of them count.
    pub new_users: u64,
    /// Users active in the period who registered before the range began.
    pub veteran_users: u64,
}

/// What is stored of a topic to find it by: its name without the white space around it, in lower case.
pub fn topic_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What the `topics` filter compares: the name of a topic without the white space around it, by Unicode's full case
/// folding. It is the same of a name and of its [`topic_key`].
pub fn folded_topic(name: &str) -> String {
    UniCase::unicode(name.trim()).to_folded_case()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_folded_like_what_is_stored_of_it() {
        for letter in '\0'..=char::MAX {
            let name = format!("a{letter}b");
            assert_eq!(folded_topic(&topic_key(&name)), folded_topic(&name), "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_case_alone_are_folded_to_the_same() {
        for (names, folded) in [
            (["Stra\u{df}e", " STRASSE", "STRA\u{1e9e}E"], "strasse"),
            (
                [
                    "\u{3a3}\u{39f}\u{3a6}\u{39f}\u{3a3}",
                    "\u{3c3}\u{3bf}\u{3c6}\u{3bf}\u{3c2}",
                    "\u{3c3}\u{3bf}\u{3c6}\u{3bf}\u{3c3}",
                ],
                "\u{3c3}\u{3bf}\u{3c6}\u{3bf}\u{3c3}",
            ),
            (["\u{fb03}", "FFI", "\u{fb00}i"], "ffi"),
        ] {
            assert_eq!(names.map(folded_topic), [folded; 3]);
        }
    }
}
