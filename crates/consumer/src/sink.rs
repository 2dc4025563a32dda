//! Where rows go, as this crate sees it.

use std::error::Error;
use std::future::Future;

use events::Event;

/// Takes rows, a batch at a time, and acknowledges them once they are kept. Several writes run at once, so a row may be
/// written after a later one, and again after a failure or a restart: writing must be idempotent and
/// indifferent to order.
pub trait Sink: Send + Sync + 'static {
    /// Rows that are collected.
    type Rows: Rows;
    /// Rows that are ready to be written, any number of times.
    type Sealed: Send + Sync + 'static;

    /// The id of the database that rows are kept in. It is the same wherever the database is reached from, and another one's
    /// is another. Without spaces.
    fn database(&self) -> &str;

    /// Empty rows to append to.
    fn rows(&self) -> Self::Rows;

    /// Closes the rows of a batch.
    fn seal(&self, rows: Self::Rows) -> Self::Sealed;

    /// Notes how far ingestion is, with each commit.
    fn note_progress(&self, progress: Progress);

    /// Notes why nothing is written until somebody changes something; none once it is again.
    fn note_blocked(&self, reason: Option<&str>);

    /// Writes all of the rows. Once this returns `Ok` they survive the death of this process. Every call ends by
    /// itself within a bounded time; the caller repeats it with the same rows after [`SinkError::Unavailable`] and
    /// [`SinkError::Unanswered`].
    fn write(&self, rows: &Self::Sealed) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Writes of the rows what may be [`SinkError::Refused`], and no more: one of many that is at fault is found by a dozen
    /// attempts, most of which are accepted. What is accepted here is written afterwards.
    fn check(&self, rows: &Self::Sealed) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// How far a run of ingestion is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many records its partitions hold that are not settled.
    pub lag: u64,
    /// How many it has rejected.
    pub rejected: u64,
}

/// Rows of one batch, in memory.
pub trait Rows: Send + Sync + 'static {
    /// Copies what the event says; nothing is borrowed from its record afterwards.
    fn append(&mut self, event: &Event<'_>);

    /// How much memory the rows take, in bytes. Asked after every record, so it must be cheap.
    fn bytes(&self) -> usize;

    /// Whether nothing was appended, so that a write would do nothing.
    fn is_empty(&self) -> bool;
}

/// Why rows were not written; the sink decides which it is.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The same rows may be taken later: the network, an overload, a restart, a missing schema, a wrong
    /// password.
    #[error("the sink is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The connection was closed without an answer. The same rows may be taken later, or fewer of them where that is what
    /// becomes of too many.
    #[error("the sink did not answer")]
    Unanswered(#[source] Box<dyn Error + Send + Sync>),
    /// Fewer of the rows may be taken: together they are too large.
    #[error("the rows are too large for the sink")]
    TooLarge(#[source] Box<dyn Error + Send + Sync>),
    /// At least one of the rows will never be taken for what it holds; the others may be. The record that it came
    /// from is found and rejected.
    #[error("the sink refuses the rows")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}
