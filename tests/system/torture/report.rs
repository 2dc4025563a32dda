//! How ingestion does: its longest stall, and how soon it has caught up after each fault.

use std::{collections::BTreeMap, fmt, time::Duration};

use consumer::{PartitionProgress, Probe, Settings};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::fault::Fault;
use crate::harness::{DEADLINE, until, until_within};

const BROKER_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What is measured during the faults.
pub(crate) struct Report {
    probe: Probe,
    recoveries: BTreeMap<Fault, Vec<Duration>>,
    stop: watch::Sender<bool>,
    watching: JoinSet<Duration>,
}

/// What was measured.
pub(crate) struct Summary {
    recoveries: BTreeMap<Fault, Vec<Duration>>,
    /// The longest time in which records waited and none was settled.
    pub(crate) longest_stall: Duration,
}

impl Report {
    /// Begins to watch the group.
    pub(crate) fn start(settings: &Settings) -> Self {
        let probe = Probe::new(settings).unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut watching = JoinSet::new();
        watching.spawn(longest_stall(probe.clone(), stopped));
        Self {
            probe,
            recoveries: BTreeMap::new(),
            stop,
            watching,
        }
    }

    /// How many faults were recovered from.
    pub(crate) fn survived(&self) -> usize {
        self.recoveries.values().map(Vec::len).sum()
    }

    /// Waits until everything that was published when a fault ended is settled.
    pub(crate) async fn recover(&mut self, fault: Fault) {
        let took = self.settle().await;
        println!("torture: {fault:?}: recovered after {took:?}");
        self.recoveries.entry(fault).or_default().push(took);
    }

    /// Waits until everything that is published now is settled. Returns how long it took.
    pub(crate) async fn settle(&self) -> Duration {
        self.settle_within(DEADLINE).await
    }

    /// As [`Report::settle`], with a deadline of its own.
    pub(crate) async fn settle_within(&self, deadline: Duration) -> Duration {
        let began = Instant::now();
        let ends: BTreeMap<i32, i64> = until("the broker returns the ends", async || {
            let progress = self.probe.progress(BROKER_TIMEOUT).await.ok()?;
            let ends = progress
                .into_iter()
                .map(|partition| (partition.partition, partition.end));
            Some(ends.collect())
        })
        .await;
        until_within(deadline, "what was published is settled", async || {
            let progress = self.probe.progress(BROKER_TIMEOUT).await.ok()?;
            let mut partitions = progress.iter();
            partitions
                .all(|partition| {
                    // What is committed of a log that was cut may be beyond its end.
                    let ends = ends[&partition.partition]..=partition.end;
                    ends.contains(&partition.committed.unwrap_or(0))
                })
                .then_some(())
        })
        .await;
        began.elapsed()
    }

    pub(crate) async fn end(mut self) -> Summary {
        self.stop.send_replace(true);
        Summary {
            recoveries: self.recoveries,
            longest_stall: self.watching.join_next().await.unwrap().unwrap(),
        }
    }
}

async fn longest_stall(probe: Probe, stopped: watch::Receiver<bool>) -> Duration {
    let (mut longest, mut settled, mut moved_at) = (Duration::ZERO, 0, Instant::now());
    while !*stopped.borrow() {
        tokio::time::sleep(POLL_INTERVAL).await;
        // Nothing can be settled while the broker is away.
        if let Ok(progress) = probe.progress(BROKER_TIMEOUT).await {
            let now: i64 = progress.iter().filter_map(|partition| partition.committed).sum();
            if now != settled || progress.iter().map(PartitionProgress::lag).sum::<u64>() == 0 {
                (settled, moved_at) = (now, Instant::now());
            }
        }
        longest = longest.max(moved_at.elapsed());
    }
    longest
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:>5} {:>10} {:>10}",
            "recovery after", "times", "median", "worst"
        )?;
        for (fault, times) in &self.recoveries {
            let mut times = times.clone();
            times.sort_unstable();
            let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
            writeln!(
                f,
                "{:<20} {:>5} {:>8.1} s {:>8.1} s",
                format!("{fault:?}"),
                times.len(),
                median.as_secs_f64(),
                worst.as_secs_f64()
            )?;
        }
        Ok(())
    }
}
