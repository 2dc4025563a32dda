//! What the three endpoints ask for and what they return, in plain values: the rollups and the oracle of the tests
//! use the same types, so that their answers can be compared.

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
    /// Topics, any of which the conversation must have; trimmed, and lowercased by [`str::to_lowercase`].
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

/// What the `topics` filter compares: the name of a topic without the white space around it, in lower case.
pub fn topic_key(name: &str) -> String {
    name.trim().to_lowercase()
}
