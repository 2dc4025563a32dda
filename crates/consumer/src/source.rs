//! Membership of the group: what is assigned, committed, paused.

mod membership;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, MessageStream, StreamConsumer};
use rdkafka::{Offset as Position, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::budget::Budget;
use crate::ledger::{Committable, Ledger};
use crate::{Error, Settings, client, metric};
use membership::Membership;

/// The ledger, as the loop, the deliveries and the callbacks of rebalances share it. Held for moments, never
/// across a wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedLedger(Arc<Mutex<Ledger>>);

/// A member of the consumer group.
pub(crate) struct Source {
    consumer: Arc<StreamConsumer<Membership>>,
    topic: String,
    ledger: SharedLedger,
}

impl SharedLedger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A ledger is whole between its calls, so a panic elsewhere does not make it wrong.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// Joins the group.
    pub(crate) fn join(settings: &Settings, ledger: SharedLedger) -> Result<Self, Error> {
        let budget = Budget::of(settings);
        let mut config = client::config(settings);
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("allow.auto.create.topics", "false")
            // A member that was killed gives its partitions up after this long.
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000")
            // The loop polls at least once a second. A rebalance waits no longer than this for members that do not come.
            .set("max.poll.interval.ms", "30000")
            // A trickle is handed on as it comes; a full queue is looked at again soon, not after a second.
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.min.messages", budget.prefetched_records.to_string())
            .set(
                "queued.max.messages.kbytes",
                (budget.prefetched >> 10).to_string(),
            )
            .set("fetch.max.bytes", budget.answer.to_string())
            .set("message.max.bytes", budget.answer.min(1_000_000).to_string())
            .set("statistics.interval.ms", "2000");
        let membership = Membership::new(ledger.clone(), settings.topic.clone());
        let consumer: StreamConsumer<Membership> = client::create(settings, config, membership)?;
        consumer.subscribe(&[&settings.topic]).map_err(Error::Consumer)?;
        Ok(Self {
            consumer: Arc::new(consumer),
            topic: settings.topic.clone(),
            ledger,
        })
    }

    /// The records of all assigned partitions, as they come. Reading it also serves the group: somebody must
    /// keep polling.
    pub(crate) fn records(&self) -> MessageStream<'_, Membership> {
        self.consumer.stream()
    }

    /// For how long no broker has been connected.
    pub(crate) fn cut_off_for(&self) -> Duration {
        self.consumer.context().cut_off_for()
    }

    /// A commit of everything that is settled and not committed, to be made where it may block; none where there
    /// is nothing to commit. It gives whether the broker has taken it.
    pub(crate) fn commit(&self) -> Option<impl FnOnce() -> bool + Send + use<>> {
        let offsets = self.ledger.lock().committable();
        let (consumer, topic, ledger) = (
            Arc::clone(&self.consumer),
            self.topic.clone(),
            self.ledger.clone(),
        );
        (!offsets.is_empty()).then_some(move || {
            let committed = commit(&*consumer, &topic, &offsets);
            if committed {
                ledger.lock().committed(&offsets);
            }
            committed
        })
    }

    /// Commits everything that is settled, unless it takes too long. Whether all is committed.
    pub(crate) async fn commit_last(&self, patience: Duration) -> bool {
        let Some(commit) = self.commit() else { return true };
        matches!(timeout(patience, spawn_blocking(commit)).await, Ok(Ok(true)))
    }

    /// Stops fetching. What was fetched ahead is dropped, and fetched again on [`Source::resume`].
    pub(crate) fn pause(&self) {
        self.set_paused(true);
    }

    /// Fetches again.
    pub(crate) fn resume(&self) {
        self.set_paused(false);
    }

    /// Leaves the group. What is settled must be committed by then.
    pub(crate) async fn leave(self, deadline: Duration) {
        // Closing a consumer waits for its brokers, and blocks.
        let closing = spawn_blocking(move || drop(self.consumer));
        if timeout(deadline, closing).await.is_ok() {
            info!(topic = self.topic, "left the consumer group");
        } else {
            warn!(
                topic = self.topic,
                "left the consumer group without the brokers' answer"
            );
        }
    }

    fn set_paused(&self, paused: bool) {
        self.consumer.context().set_paused(paused);
        gauge!(metric::PAUSED).set(if paused { 1.0 } else { 0.0 });
        let change = self.consumer.assignment().and_then(|assignment| {
            if paused {
                self.consumer.pause(&assignment)
            } else {
                self.consumer.resume(&assignment)
            }
        });
        if let Err(error) = change {
            warn!(topic = self.topic, paused, "could not pause or resume: {error}");
        }
    }
}

/// Commits offsets and waits for the broker's answer. What is not committed now is committed later, with what is
/// settled by then, or read again by the next member. Whether they are committed.
///
/// The client can send a commit without waiting, but then never tells what became of it.
fn commit<C: ConsumerContext>(consumer: &impl Consumer<C>, topic: &str, offsets: &[Committable]) -> bool {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    let filled = offsets.iter().try_for_each(|committable| {
        list.add_partition_offset(
            topic,
            committable.partition().0,
            Position::Offset(committable.offset().0),
        )
    });
    let Err(error) = filled.and_then(|()| consumer.commit(&list, CommitMode::Sync)) else {
        return true;
    };
    counter!(metric::RETRIES, "what" => "commit").increment(1);
    warn!(topic, "offsets are not committed: {error}");
    false
}
