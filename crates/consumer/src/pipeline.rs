//! The loop: source → decode → batch → insert → settle.

mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::Timestamp;
use tokio::runtime::Handle;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::dead_letters::DeadLetters;
use crate::delivery::Courier;
use crate::sink::Sink;
use crate::source::{SharedLedger, Source};
use crate::{Error, Settings, metric};
use flow::Pipeline;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records whose rows the sink acknowledged.
    pub kept: u64,
    /// Records of types that are not ours.
    pub skipped: u64,
    /// Records whose dead letters were acknowledged.
    pub rejected: u64,
    /// Offsets that were never seen, because the log no longer held them.
    pub lost: u64,
    /// Batches that were settled.
    pub batches: u64,
    /// What the broker holds as committed at the end, by partition, of those held then: the offset of the first
    /// record that the next run reads.
    pub committed: BTreeMap<i32, i64>,
}

/// How long batches that are on their way may take once the run is ending. The deadlines of a shutdown sum to
/// 7 seconds, of the 10 in which the process must be gone with all its parts.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last commit may take.
const COMMIT: Duration = Duration::from_secs(1);
/// How long leaving the group may take.
const LEAVE: Duration = Duration::from_secs(1);

/// Reads the topic into the sink until `shutdown` is cancelled, or until nothing can heal what went wrong.
/// `clock` tells the time that an event's own may not exceed. Must be called within a tokio runtime.
///
/// When the run is ending, the open batch is written, those on their way are waited for, what is settled is
/// committed, and the group is left, all within 8 seconds. What is not settled by then is read again by the
/// next run.
pub async fn run<S: Sink>(
    settings: &Settings,
    sink: S,
    clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    shutdown: CancellationToken,
) -> Result<Summary, Error> {
    settings.validate()?;
    metric::describe();
    let settings = settings.clone();
    let runtime = Handle::current();
    // Whoever drops this future ends the run.
    let shutdown = shutdown.child_token();
    let _ended = shutdown.clone().drop_guard();
    // Decoding keeps a core busy, and librdkafka blocks in its callbacks, so the loop has a thread to itself;
    // batches are written by the workers of the runtime. With nobody to yield to, it needs no budget of polls,
    // and with one it would never see timers and deliveries while records are ready.
    let ingestion = move || runtime.block_on(unconstrained(ingest(settings, sink, clock, shutdown)));
    tokio::task::spawn_blocking(ingestion)
        .await
        .map_err(Error::Died)?
}

async fn ingest<S: Sink>(
    settings: Settings,
    sink: S,
    clock: impl Fn() -> Timestamp,
    shutdown: CancellationToken,
) -> Result<Summary, Error> {
    let ledger = SharedLedger::default();
    let courier = Courier {
        settings: Arc::new(settings.clone()),
        sink: Arc::new(sink),
        dead_letters: DeadLetters::new(&settings)?,
        ledger: ledger.clone(),
        halt: shutdown,
    };
    let source = Source::join(&settings, ledger.clone())?;
    info!(topic = settings.topic, group = settings.group_id, "ingesting");

    let mut pipeline = Pipeline::new(&settings, &source, courier, clock);
    let mut outcome = pipeline.flow().await;
    if outcome.is_ok() {
        outcome = pipeline.drain(Instant::now() + DRAIN).await;
    }
    let mut summary = pipeline.summary();
    drop(pipeline);

    if !source.commit_last(COMMIT).await {
        warn!(
            topic = settings.topic,
            "the last offsets are not committed: their records will be read again"
        );
    }
    summary.committed = ledger
        .lock()
        .commits()
        .map(|(partition, offset)| (partition.0, offset.0))
        .collect();
    source.leave(LEAVE).await;
    outcome.map(|()| summary)
}
