//! What waits in the logs, and what they no longer hold: the gauges of partitions, and the records that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use rdkafka::consumer::{Consumer, ConsumerContext};
use tracing::{debug, error};

use crate::ingest::gaps::{Gap, Gaps};
use crate::ingest::ledger::{Jump, Ledger, Offset, Partition};
use crate::kafka::watermarks::watermarks;
use crate::metric;

/// How long the brokers may take to return where the logs start and end.
const WATERMARKS_TIMEOUT: Duration = Duration::from_secs(1);

/// What the brokers said of the logs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reach {
    /// How many records were lost in the gaps that were met until then.
    pub(crate) lost: u64,
    /// How many records the assigned partitions hold that are not settled.
    pub(crate) lag: u64,
}

/// The logs of the assigned partitions, as the brokers describe them.
pub(crate) struct Logs {
    topic: String,
    /// Those that were met since the brokers were last asked where the logs start.
    gaps: Mutex<Gaps>,
}

impl Logs {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            gaps: Mutex::default(),
        }
    }

    /// Notes that reading has jumped, forward perhaps: what was lost there is counted by the next [`Logs::ask`].
    pub(crate) fn note_jump(&self, partition: Partition, jump: Jump) {
        let (partition_number, from, to) = (partition.0, jump.from.0, jump.to.0);
        debug!(
            topic = self.topic,
            partition = partition_number,
            from,
            to,
            "reading has jumped"
        );
        self.gaps().add(partition, jump);
    }

    /// Whether there are gaps of which it is not known yet what was lost there.
    pub(crate) fn has_gaps(&self) -> bool {
        !self.gaps().is_empty()
    }

    /// Asks the brokers where the logs start and end, and waits for them. Sets the lag, and counts the records that were
    /// lost in the gaps that were met until now.
    ///
    /// What the client knows by itself is of its last fetch, and nothing is fetched while partitions are paused.
    pub(crate) fn ask<'a, C: ConsumerContext>(
        &self,
        consumer: &impl Consumer<C>,
        ledger: impl Fn() -> MutexGuard<'a, Ledger>,
    ) -> Reach {
        let mut gaps = mem::take(&mut *self.gaps());
        let assigned: Vec<_> = ledger().frontiers().map(|(partition, _)| partition).collect();
        let asked: BTreeSet<_> = assigned.into_iter().chain(gaps.partitions()).collect();
        let numbers = asked.iter().map(|partition| partition.0);
        let logs = self.extents(consumer, numbers);
        let mut reach = Reach::default();
        for (partition, log) in &logs {
            if let Some(gap) = gaps.take_lost(Partition(*partition), Offset(log.start)) {
                self.count_lost(*partition, gap);
                reach.lost += gap.offsets;
            }
        }
        self.gaps().extend(gaps);
        // Locked until all are set: a partition that is revoked meanwhile is set to 0 afterwards.
        let ledger = ledger();
        for (partition, frontier) in ledger.frontiers() {
            if let Some(log) = logs.get(&partition.0) {
                let settled = frontier.map_or(log.start, |frontier| frontier.0.max(log.start));
                set_records(metric::LAG, partition, log.end - settled);
                reach.lag += u64::try_from(log.end - settled).unwrap_or_default();
            }
        }
        reach
    }

    /// Notes in the ledger where the logs of its partitions start, as far as the brokers say, which are waited for.
    pub(crate) fn note_starts<'a, C: ConsumerContext>(
        &self,
        consumer: &impl Consumer<C>,
        ledger: impl Fn() -> MutexGuard<'a, Ledger>,
    ) {
        let assigned: Vec<_> = ledger().frontiers().map(|(partition, _)| partition.0).collect();
        for (partition, log) in self.extents(consumer, assigned.into_iter()) {
            ledger().note_start(Partition(partition), Offset(log.start));
        }
    }

    /// Where the logs of partitions start and end, as far as the brokers say.
    fn extents<C: ConsumerContext>(
        &self,
        consumer: &impl Consumer<C>,
        partitions: impl Iterator<Item = i32>,
    ) -> BTreeMap<i32, Range<i64>> {
        watermarks(consumer, &self.topic, partitions, WATERMARKS_TIMEOUT).unwrap_or_else(|error| {
            debug!(
                topic = self.topic,
                "it is not known how far the logs reach: {error}"
            );
            BTreeMap::new()
        })
    }

    fn count_lost(&self, partition: i32, gap: Gap) {
        let (from, to, lost) = (gap.from.0, gap.to.0, gap.offsets);
        counter!(metric::RECORDS_LOST).increment(lost);
        error!(
            topic = self.topic,
            partition, from, to, lost, "records are gone: the log skips them"
        );
    }

    fn gaps(&self) -> MutexGuard<'_, Gaps> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets how many records of a partition wait for the end of an open transaction, by the end of its log and what is stable
/// of it.
pub(crate) fn set_unstable(partition: Partition, end: i64, stable: i64) {
    set_records(metric::UNSTABLE, partition, end - stable);
}

/// Sets the gauges of a partition that is read no more.
pub(crate) fn clear(partition: Partition) {
    for gauge in [metric::LAG, metric::UNSTABLE] {
        set_records(gauge, partition, 0);
    }
}

fn set_records(gauge: &'static str, partition: Partition, records: i64) {
    let records = u32::try_from(records.max(0)).unwrap_or(u32::MAX);
    gauge!(gauge, "partition" => partition.0.to_string()).set(records);
}
