//! Membership of the group: what is assigned, committed, paused.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, MessageStream, Rebalance, StreamConsumer,
};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset as Position, Statistics, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use crate::error::{Error, Right};
use crate::ingest::lag::{self, Logs, Reach};
use crate::ingest::ledger::{Arrival, Committable, Ledger, Offset, Partition, Receipt, Span};
use crate::ingest::protocol;
use crate::ingest::unreadable::{Positions, Standstill};
use crate::kafka::client;
use crate::kafka::commit_metadata::{self, CommitMetadata, Fingerprint};
use crate::kafka::rights;
use crate::metric;
use crate::settings::{GroupProtocol, Settings};

/// How long an assignment waits to learn what is committed.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long librdkafka may take to go to another offset, for which it asks nobody.
const SEEK_TIMEOUT: Duration = Duration::from_secs(1);

/// A member of the consumer group.
pub(crate) struct Source {
    consumer: Arc<StreamConsumer<Membership>>,
}

impl Source {
    /// Joins the group, to commit what is in the database of this id.
    pub(crate) fn join(settings: &Settings, database: &str) -> Result<Self, Error> {
        let membership = Membership {
            topic: settings.topic.clone(),
            settings: settings.clone(),
            database: database.to_owned(),
            unusable: Mutex::default(),
            ledger: Mutex::default(),
            logs: Logs::new(&settings.topic),
            standstill: Mutex::default(),
            paused: AtomicBool::new(false),
            is_unsupported: AtomicBool::new(false),
            unknown_since: Mutex::default(),
            connected_at: Mutex::new(Instant::now()),
        };
        let consumer: StreamConsumer<Membership> =
            client::create(settings, protocol::member_config(settings), membership)?;
        consumer.subscribe(&[&settings.topic]).map_err(Error::Consumer)?;
        let consumer = Arc::new(consumer);
        Ok(Self { consumer })
    }

    /// The records of all assigned partitions, as they come. Rebalances are handled while it is polled, so polling must
    /// never end.
    pub(crate) fn records(&self) -> MessageStream<'_, Membership> {
        self.consumer.stream()
    }

    /// For how long no broker has been connected, as of the last statistics.
    pub(crate) fn disconnected_for(&self) -> Duration {
        lock(&self.membership().connected_at).elapsed()
    }

    /// Notes in the ledger that a record has come: see [`Ledger::arrive`]. A partition whose log was replaced is read from its
    /// start.
    pub(crate) fn note_arrival(&self, partition: i32, record: Fingerprint) -> Result<Arrival, Error> {
        let membership = self.membership();
        let arrival = membership.ledger().arrive(Partition(partition), record);
        if arrival == Arrival::Replaced {
            self.consumer
                .seek(&membership.topic, partition, Position::Beginning, SEEK_TIMEOUT)
                .map_err(Error::Consumer)?;
        }
        if let Arrival::Next(_, Some(jump)) = arrival {
            membership.logs.note_jump(Partition(partition), jump);
        }
        Ok(arrival)
    }

    /// An error where something is assigned that may not be read, or where the group does not go on with this member:
    /// librdkafka says that at most once, among the records.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let membership = self.membership();
        if let Some(error) = lock(&membership.unusable).take() {
            return Err(error);
        }
        if membership.is_unsupported.load(Ordering::Relaxed) {
            return Err(protocol::unsupported());
        }
        if let Some((code, _)) = self.consumer.client().fatal_error() {
            return Err(protocol::refusal(&membership.settings, code));
        }
        match &*lock(&membership.unknown_since) {
            Some((since, error)) if since.elapsed() > protocol::UNKNOWN_TIMEOUT => {
                Err(Error::MemberRefused(error.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Notes in the ledger how far the client has read where no record says so: see [`Ledger::pass`]. Every record that
    /// was read must be noted by then.
    pub(crate) fn note_positions(&self) {
        let membership = self.membership();
        let positions = match self.consumer.position() {
            Ok(positions) => positions,
            Err(error) => {
                warn!(topic = membership.topic, "positions are not known: {error}");
                return;
            }
        };
        for element in positions.elements() {
            let partition = Partition(element.partition());
            let passed =
                absolute(element.offset()).and_then(|position| membership.ledger().pass(partition, position));
            if let Some(passed) = passed {
                membership.logs.note_jump(partition, passed);
            }
        }
    }

    /// Asks how far the logs reach, where it may block: see [`Logs::ask`].
    pub(crate) fn ask_logs(&self) -> impl FnOnce() -> Reach + Send + use<> {
        let consumer = Arc::clone(&self.consumer);
        move || {
            let membership = consumer.context();
            membership.logs.ask(&*consumer, || membership.ledger())
        }
    }

    /// Whether [`Source::ask_logs`] may find something that was lost.
    pub(crate) fn has_gaps(&self) -> bool {
        self.membership().logs.has_gaps()
    }

    /// The offset of each assigned partition that is read next; none where reading begins with the log.
    pub(crate) fn positions(&self) -> Positions {
        let ledger = self.membership().ledger();
        let positions = ledger.positions();
        positions
            .map(|(partition, offset)| (partition.0, offset.map(|offset| offset.0)))
            .collect()
    }

    /// See [`Standstill::take`].
    pub(crate) fn take_standstill(&self) -> bool {
        lock(&self.membership().standstill).take()
    }

    /// Goes on behind offsets that cannot be read, unless the partition is no longer where they start. The span to settle.
    pub(crate) fn pass_over(&self, partition: i32, offsets: &Range<i64>) -> Option<Span> {
        let membership = self.membership();
        let span = membership
            .ledger()
            .pass_over(Partition(partition), Offset(offsets.start)..Offset(offsets.end))?;
        let behind = Position::Offset(offsets.end);
        if let Err(error) = self
            .consumer
            .seek(&membership.topic, partition, behind, SEEK_TIMEOUT)
        {
            warn!(
                topic = membership.topic,
                partition, "could not go on behind a batch: {error}"
            );
        }
        Some(span)
    }

    /// Settles the offsets of a batch, which can be committed from now on.
    pub(crate) fn settle(&self, receipt: Receipt) {
        self.membership().ledger().settle(receipt);
    }

    /// What the broker holds as committed, by partition, of the partitions that are assigned.
    pub(crate) fn committed(&self) -> BTreeMap<i32, i64> {
        let ledger = self.membership().ledger();
        ledger
            .commits()
            .map(|(partition, offset)| (partition.0, offset.0))
            .collect()
    }

    /// A commit of everything that is settled and not committed, to be made where it may block; none where there
    /// is nothing to commit. It returns whether the broker has accepted it.
    pub(crate) fn commit(&self) -> Option<impl FnOnce() -> bool + Send + use<>> {
        let offsets = self.membership().ledger().committable();
        let consumer = Arc::clone(&self.consumer);
        (!offsets.is_empty()).then_some(move || {
            let membership = consumer.context();
            let committed = membership.commit(&*consumer, &offsets);
            if committed {
                membership.ledger().committed(&offsets);
            }
            committed
        })
    }

    /// Commits everything that is settled, unless it takes too long. Whether all is committed.
    pub(crate) async fn commit_last(&self, limit: Duration) -> bool {
        let Some(commit) = self.commit() else { return true };
        matches!(timeout(limit, spawn_blocking(commit)).await, Ok(Ok(true)))
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
    pub(crate) async fn leave(self, limit: Duration) {
        let topic = self.membership().topic.clone();
        // Closing a consumer waits for its brokers, and blocks.
        let closing = spawn_blocking(move || drop(self.consumer));
        if timeout(limit, closing).await.is_ok() {
            info!(topic, "left the consumer group");
        } else {
            warn!(topic, "left the consumer group without the brokers' answer");
        }
    }

    fn set_paused(&self, paused: bool) {
        gauge!(metric::PAUSED).set(if paused { 1.0 } else { 0.0 });
        let membership = self.membership();
        membership.paused.store(paused, Ordering::Relaxed);
        membership.apply_pause(&*self.consumer, self.consumer.assignment());
    }

    fn membership(&self) -> &Membership {
        self.consumer.context()
    }
}

/// What librdkafka calls back for: assignments and statistics. Its callbacks run where the records are polled.
pub(crate) struct Membership {
    topic: String,
    settings: Settings,
    /// The id of the database that the commits stand for.
    database: String,
    /// Why an assignment has no accounts, so that nothing of it is read or committed.
    unusable: Mutex<Option<Error>>,
    /// Shared by the loop and the callbacks. Locked for moments, never across a wait.
    ledger: Mutex<Ledger>,
    logs: Logs,
    standstill: Mutex<Standstill>,
    paused: AtomicBool,
    /// See [`protocol::is_unsupported`].
    is_unsupported: AtomicBool,
    /// Since when commits are refused as in [`protocol::is_member_unknown`], and the first error.
    unknown_since: Mutex<Option<(Instant, KafkaError)>>,
    /// When a broker was last seen connected.
    connected_at: Mutex<Instant>,
}

impl Membership {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Commits offsets and waits for the broker's answer. What is not committed now is committed later, with what is
    /// settled by then, or read again by the next member. Whether they are committed.
    ///
    /// The client can send a commit without waiting, but then never says what became of it.
    fn commit(&self, consumer: &impl Consumer<Self>, offsets: &[Committable]) -> bool {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        let filled = offsets.iter().try_for_each(|committable| {
            let metadata = CommitMetadata {
                database: self.database.clone(),
                last: committable.last(),
            };
            let mut element = list.add_partition(&self.topic, committable.partition().0);
            element.set_metadata(metadata.to_string());
            element.set_offset(Position::Offset(committable.offset().0))
        });
        let commit = || consumer.commit(&list, CommitMode::Sync);
        let Err(error) = filled.and_then(|()| protocol::in_epoch(commit)) else {
            *lock(&self.unknown_since) = None;
            rights::granted(Right::ReadGroup);
            return true;
        };
        if protocol::is_member_unknown(&error) {
            lock(&self.unknown_since).get_or_insert_with(|| (Instant::now(), error.clone()));
        }
        rights::note_reading(&self.settings, &error);
        counter!(metric::RETRIES, "what" => "commit").increment(1);
        client::warn_of("offsets are not committed", &error);
        false
    }

    /// Pauses or resumes partitions, as all others are.
    fn apply_pause(&self, consumer: &impl Consumer<Self>, partitions: KafkaResult<TopicPartitionList>) {
        let paused = self.paused.load(Ordering::Relaxed);
        let change = partitions.and_then(|partitions| {
            if paused {
                consumer.pause(&partitions)
            } else {
                consumer.resume(&partitions)
            }
        });
        if let Err(error) = change {
            warn!(topic = self.topic, paused, "could not pause or resume: {error}");
        }
    }

    /// Opens accounts, unless it is not known what is committed, or another database holds it.
    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let usable = consumer
            .committed_offsets(partitions.clone(), COMMITTED_TIMEOUT)
            .map_err(|source| Error::Committed {
                group: self.settings.group_id.clone(),
                source,
            })
            .and_then(|committed| {
                commit_metadata::check_database(&committed, &self.settings.group_id, &self.database)?;
                Ok(committed)
            });
        match usable {
            Ok(committed) => self.open_accounts(partitions, &committed),
            Err(error) => *lock(&self.unusable) = Some(error),
        }
        self.logs.note_starts(consumer, || self.ledger());
        info!(topic = self.topic, partitions = partitions.count(), "assigned");
    }

    /// Opens accounts at the committed offsets, so that records which the log dropped before the first one that is read are
    /// noticed. Reading begins with the last record before them, which shows whether the log was replaced.
    fn open_accounts(&self, partitions: &TopicPartitionList, committed: &TopicPartitionList) {
        let mut ledger = self.ledger();
        for mut element in partitions.elements() {
            let partition = Partition(element.partition());
            let known = committed.find_partition(&self.topic, partition.0);
            let offset = known.as_ref().and_then(|commit| absolute(commit.offset()));
            let last = known
                .as_ref()
                .and_then(CommitMetadata::of)
                .and_then(|metadata| metadata.last)
                .filter(|last| offset.is_some_and(|Offset(offset)| last.offset < offset));
            ledger.assign(partition, offset);
            if let Some(last) = last
                && element.set_offset(Position::Offset(last.offset)).is_ok()
            {
                ledger.confirm(partition, last);
            }
            debug!(
                topic = self.topic,
                partition = partition.0,
                committed = offset.map(|offset| offset.0),
                last = last.map(|last| last.offset),
                "assigned"
            );
        }
    }

    /// Commits what is settled and closes accounts. What is read and not settled is left to the next member.
    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let settled: Vec<_> = {
            let mut ledger = self.ledger();
            numbers(partitions)
                .filter_map(|partition| ledger.revoke(partition))
                .collect()
        };
        let committed = settled.is_empty() || self.commit(consumer, &settled);
        for partition in numbers(partitions) {
            debug!(topic = self.topic, partition = partition.0, "revoked");
        }
        info!(
            topic = self.topic,
            partitions = partitions.count(),
            committed,
            "revoked"
        );
    }

    /// Closes accounts of partitions that another member may be reading already, as after a time without brokers.
    fn lost(&self, partitions: &TopicPartitionList) {
        let mut ledger = self.ledger();
        for partition in numbers(partitions) {
            debug!(topic = self.topic, partition = partition.0, "lost");
            ledger.lose(partition);
        }
        client::warn_away(format_args!("kafka: {} partitions are lost", partitions.count()));
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
            *lock(&self.connected_at) = Instant::now();
        }
        lock(&self.standstill).note(&statistics, &self.topic);
        if self.settings.group_protocol == GroupProtocol::Consumer && protocol::is_unsupported(&statistics) {
            self.is_unsupported.store(true, Ordering::Relaxed);
        }
        let Some(topic) = statistics.topics.get(&self.topic) else {
            return;
        };
        let fetching = || {
            topic
                .partitions
                .values()
                .filter(|partition| partition.fetch_state == "active")
        };
        // Brokers tell where the log ends only to those who may read it.
        if fetching().next().is_some() && fetching().all(|partition| partition.ls_offset >= 0) {
            rights::granted(Right::ReadTopic);
        }
        for (partition, _) in self.ledger().frontiers() {
            if let Some(log) = topic.partitions.get(&partition.0)
                && log.ls_offset >= 0
            {
                lag::set_unstable(partition, log.hi_offset, log.ls_offset);
            }
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        *lock(&self.unknown_since) = None;
        if let Rebalance::Assign(_) = rebalance {
            rights::granted(Right::ReadGroup);
            // If it is still missing, the next fetch says so.
            rights::granted(Right::ReadTopic);
        }
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
                    lag::clear(partition);
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
        // A partition that was paused when it was revoked is still paused when it is assigned again.
        if let Rebalance::Assign(partitions) = rebalance {
            self.apply_pause(consumer, Ok((*partitions).clone()));
        }
    }
}

/// What it holds is whole between calls, so a panic elsewhere does not make it wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn numbers(partitions: &TopicPartitionList) -> impl Iterator<Item = Partition> {
    let elements = partitions.elements().into_iter();
    elements.map(|element| Partition(element.partition()))
}

fn absolute(position: Position) -> Option<Offset> {
    match position {
        Position::Offset(offset) => Some(Offset(offset)),
        _ => None,
    }
}
