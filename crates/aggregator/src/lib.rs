//! The rollups in ClickHouse: schema, materialized views, inserts and reads.

use events::{CohortCount, Conversation, DateRange, Grain, NewUsersBy, TranscriptFilter};
use futures::stream::BoxStream;

/// Why ClickHouse did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ClickHouse cannot be reached or did not answer in time.
    #[error("ClickHouse is unavailable")]
    Unavailable(#[source] clickhouse::error::Error),
}

/// The rollups of all organisations.
#[derive(Clone)]
pub struct Store {}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish()
    }
}

/// A page of conversations.
#[derive(Debug)]
pub struct TranscriptPage {
    /// How many conversations match the filter, on all pages.
    pub total: u64,
    /// Those of this page.
    pub conversations: Vec<Conversation>,
}

impl Store {
    /// Whether any event of the organisation has arrived.
    pub async fn org_exists(&self, org: &str) -> Result<bool, Error> {
        unimplemented!("{org}")
    }
    /// Distinct active users, one count a period of the range, in order.
    pub async fn usage_summary(&self, org: &str, range: &DateRange, grain: Grain) -> Result<Vec<u64>, Error> {
        unimplemented!("{org}{range:?}{grain:?}")
    }
    /// New and veteran users, one count a period of the range, in order.
    pub async fn cohorts(&self, org: &str, range: &DateRange, grain: Grain, mentor: Option<&str>, new_users_by: NewUsersBy) -> Result<Vec<CohortCount>, Error> {
        unimplemented!("{org}{range:?}{grain:?}{mentor:?}{new_users_by:?}")
    }
    /// A page of the conversations, newest `inserted_at` first, then by id; and how many there are.
    pub async fn transcripts_page(&self, org: &str, filter: &TranscriptFilter, offset: u64, limit: u64) -> Result<TranscriptPage, Error> {
        unimplemented!("{org}{filter:?}{offset}{limit}")
    }
    /// All conversations in chunks of bounded size, in the order of pages.
    pub fn transcripts(&self, org: &str, filter: &TranscriptFilter) -> BoxStream<'static, Result<Vec<Conversation>, Error>> {
        unimplemented!("{org}{filter:?}")
    }
}
