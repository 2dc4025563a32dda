//! What librdkafka calls back for: assignments and statistics.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{Offset as Position, Statistics, TopicPartitionList};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{SharedLedger, commit};
use crate::ledger::{Offset, Partition};
use crate::{client, metric};

/// How long an assignment waits to learn what is committed.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(5);

/// The consumer's context. Its callbacks run where the records are polled.
pub(crate) struct Membership {
    ledger: SharedLedger,
    topic: String,
    paused: AtomicBool,
    /// When a broker was last seen connected.
    connected_at: Mutex<Instant>,
}

impl Membership {
    pub(super) fn new(ledger: SharedLedger, topic: String) -> Self {
        Self {
            ledger,
            topic,
            paused: AtomicBool::new(false),
            connected_at: Mutex::new(Instant::now()),
        }
    }

    /// For how long no broker has been connected, as of the last statistics.
    pub(super) fn cut_off_for(&self) -> Duration {
        self.connected_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// Notes whether partitions that are assigned from now on begin paused.
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Opens accounts. The committed offset is asked for, so that records which the log dropped before the first
    /// one read are noticed.
    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let committed = consumer.committed_offsets(partitions.clone(), COMMITTED_TIMEOUT);
        if let Err(error) = &committed {
            warn!(
                topic = self.topic,
                "a gap before the first record will not be seen: no committed offsets: {error}"
            );
        }
        let mut ledger = self.ledger.lock();
        for partition in numbers(partitions) {
            let known = committed
                .as_ref()
                .ok()
                .and_then(|list| list.find_partition(&self.topic, partition.0));
            let offset = known.and_then(|element| absolute(element.offset()));
            info!(
                topic = self.topic,
                partition = partition.0,
                committed = offset.map(|offset| offset.0),
                "assigned"
            );
            ledger.assign(partition, offset);
        }
    }

    /// Commits what is settled and closes accounts. What is read and not settled is left to the next member.
    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let settled: Vec<_> = {
            let mut ledger = self.ledger.lock();
            numbers(partitions)
                .filter_map(|partition| ledger.revoke(partition))
                .collect()
        };
        let committed = settled.is_empty() || commit(consumer, &self.topic, &settled);
        for partition in numbers(partitions) {
            info!(topic = self.topic, partition = partition.0, committed, "revoked");
        }
    }

    /// Closes accounts of partitions that another member may be reading already.
    fn lost(&self, partitions: &TopicPartitionList) {
        let mut ledger = self.ledger.lock();
        for partition in numbers(partitions) {
            warn!(topic = self.topic, partition = partition.0, "lost");
            ledger.lose(partition);
        }
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!("librdkafka: {error}: {reason}");
    }

    fn stats(&self, statistics: Statistics) {
        if statistics.brokers.values().any(|broker| broker.state == "UP") {
            *self.connected_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        for (partition, settled) in self.ledger.lock().frontiers() {
            let end = topic
                .partitions
                .get(&partition.0)
                .map_or(-1, |partition| partition.ls_offset);
            if end >= 0 {
                let lag =
                    u32::try_from(end - settled.0).unwrap_or(if end > settled.0 { u32::MAX } else { 0 });
                gauge!(metric::LAG, "partition" => partition.0.to_string()).set(lag);
            }
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let kind = match rebalance {
            Rebalance::Assign(partitions) if partitions.count() > 0 => {
                self.assigned(consumer, partitions);
                "assigned"
            }
            Rebalance::Revoke(partitions) if partitions.count() > 0 => {
                let kind = if consumer.assignment_lost() {
                    self.lost(partitions);
                    "lost"
                } else {
                    self.revoked(consumer, partitions);
                    "revoked"
                };
                for partition in numbers(partitions) {
                    gauge!(metric::LAG, "partition" => partition.0.to_string()).set(0.0);
                }
                kind
            }
            Rebalance::Assign(_) | Rebalance::Revoke(_) => return,
            Rebalance::Error(error) => {
                warn!(topic = self.topic, "rebalance failed: {error}");
                return;
            }
        };
        counter!(metric::REBALANCES, "kind" => kind).increment(1);
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else {
            return;
        };
        // A partition that was paused when it was taken away is still paused when it comes back.
        let paused = self.paused.load(Ordering::Relaxed);
        let change = if paused {
            consumer.pause(partitions)
        } else {
            consumer.resume(partitions)
        };
        if let Err(error) = change {
            warn!(topic = self.topic, paused, "could not pause or resume: {error}");
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> impl Iterator<Item = Partition> {
    let numbers: Vec<_> = partitions
        .elements()
        .iter()
        .map(|element| Partition(element.partition()))
        .collect();
    numbers.into_iter()
}

fn absolute(position: Position) -> Option<Offset> {
    match position {
        Position::Offset(offset) => Some(Offset(offset)),
        _ => None,
    }
}
