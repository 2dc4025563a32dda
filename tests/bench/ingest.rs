//! From a full topic to settled rollups.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use consumer::{PartitionProgress, Probe};
use traffic::Tally;

use crate::{
    load::BROKER_TIMEOUT,
    part::Part,
    report::{Column, Table, to_f64},
    stack::Stack,
};

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// After this long without progress, ingestion has failed.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// The rate and the cost of settling the events of a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) events_per_second: f64,
    /// CPU seconds per million events, where there is such a process: of the ingesting one, …
    pub(crate) ingest_cpu: Option<f64>,
    pub(crate) engine_cpu: f64,
    /// … of the engine merging after the last event was settled, …
    pub(crate) merge_cpu: f64,
    pub(crate) broker_cpu: f64,
    pub(crate) ingest_mib: Option<f64>,
    pub(crate) engine_mib: f64,
}

/// The columns of a table of such figures.
pub(crate) const COLUMNS: &[Column] = &[
    Column("events/s", 0),
    Column("CPU ingest", 2),
    Column("engine", 2),
    Column("merges after", 2),
    Column("broker", 2),
    Column("MiB ingest", 0),
    Column("MiB engine", 0),
];

/// Starts ingestion into a new database, and waits until nothing is left.
pub(crate) async fn measure(stack: &Stack, database: &str, events: u64) -> anyhow::Result<Figures> {
    stack.migrate(database).await?;
    stack.wait_for_merges().await?;
    let meter = Meter::start(stack)?;
    let kafka = stack.kafka("events", database);
    let ingest = stack.ingest(&kafka, database).await?;
    let events_per_second = rate(events, async || ingest.settled().await).await?;
    let figures = meter
        .stop(stack, Some(&ingest.part), events_per_second, events)
        .await?;
    ensure!(ingest.part.end().await?.success(), "ingest failed");
    let lag = Lag::of(&kafka)?.lag().await?;
    ensure!(lag == 0, "{lag} events are not committed");
    Ok(figures)
}

/// The median round, by events per second.
pub(crate) fn median(rounds: &mut [Figures]) -> Figures {
    rounds.sort_unstable_by(|a, b| a.events_per_second.total_cmp(&b.events_per_second));
    rounds[rounds.len() / 2]
}

/// The table of our own figures.
pub(crate) fn table(tally: &Tally, figures: &Figures) -> Table {
    let caption = format!(
        "from a full topic to settled rollups; CPU in seconds per million events, memory at its peak\n  \
         {} messages, {} annotations, {} registrations, {} repeated, {} malformed",
        tally.messages, tally.annotations, tally.registrations, tally.repeated, tally.malformed
    );
    let mut table = Table::new("ingest", caption, COLUMNS);
    figures.fill(&mut table, "rollcall ingest");
    table
}

/// How many events of a topic a group has not settled.
pub(crate) struct Lag(Probe);

impl Lag {
    pub(crate) fn of(kafka: &consumer::Settings) -> anyhow::Result<Self> {
        Ok(Self(Probe::new(kafka)?))
    }

    pub(crate) async fn lag(&self) -> anyhow::Result<u64> {
        let progress = self.0.progress(BROKER_TIMEOUT).await?;
        Ok(progress.iter().map(PartitionProgress::lag).sum())
    }

    /// Waits until there are none; an error where their number stops falling.
    pub(crate) async fn wait(&self) -> anyhow::Result<()> {
        let (mut least, mut fell_at) = (u64::MAX, Instant::now());
        loop {
            let lag = self.lag().await?;
            if lag < least {
                (least, fell_at) = (lag, Instant::now());
            }
            if lag == 0 {
                return Ok(());
            }
            ensure!(
                fell_at.elapsed() < STALL_TIMEOUT,
                "{lag} events are left, and no fewer for {STALL_TIMEOUT:?}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Events per second, from when the first were settled to when all are.
pub(crate) async fn rate(events: u64, settled: impl AsyncFn() -> anyhow::Result<u64>) -> anyhow::Result<f64> {
    let (mut first, mut before) = (None, 0);
    let mut changed_at = Instant::now();
    loop {
        let settled = settled().await?;
        let now = Instant::now();
        if settled > before {
            (before, changed_at) = (settled, now);
        }
        if settled > 0 && first.is_none() {
            first = Some((now, settled));
        }
        if settled >= events {
            let (began, already) = first.context("the topic is empty")?;
            let seconds = now.duration_since(began).as_secs_f64();
            ensure!(seconds > 0.0, "too few events to measure: settled at once");
            return Ok(to_f64(events - already) / seconds);
        }
        ensure!(
            changed_at.elapsed() < STALL_TIMEOUT,
            "{settled} of {events} events are settled, and no more for {STALL_TIMEOUT:?}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What broker and engine had used when a measurement began.
pub(crate) struct Meter {
    engine: f64,
    broker: f64,
}

impl Meter {
    pub(crate) fn start(stack: &Stack) -> anyhow::Result<Self> {
        stack.engine.reset_peak()?;
        Ok(Self {
            engine: stack.engine.cpu_seconds()?,
            broker: stack.broker.part.cpu_seconds()?,
        })
    }

    /// Returns the figures once the engine has nothing to merge.
    pub(crate) async fn stop(
        self,
        stack: &Stack,
        ingest: Option<&Part>,
        events_per_second: f64,
        events: u64,
    ) -> anyhow::Result<Figures> {
        let millions = to_f64(events) / 1e6;
        let ingest_cpu = ingest.map(Part::cpu_seconds).transpose()?;
        let (engine, broker) = (stack.engine.cpu_seconds()?, stack.broker.part.cpu_seconds()?);
        Ok(Figures {
            events_per_second,
            ingest_cpu: ingest_cpu.map(|seconds| seconds / millions),
            engine_cpu: (engine - self.engine) / millions,
            broker_cpu: (broker - self.broker) / millions,
            ingest_mib: ingest.map(Part::peak_mib).transpose()?,
            engine_mib: stack.engine.peak_mib()?,
            merge_cpu: stack.wait_for_merges().await? / millions,
        })
    }
}

impl Figures {
    /// The figures that are compared between builds, by name.
    pub(crate) fn named(&self) -> Vec<(String, Option<f64>)> {
        [
            ("events/s", Some(self.events_per_second)),
            ("CPU of ingest", self.ingest_cpu),
            ("CPU of engine", Some(self.engine_cpu)),
            (
                "CPU of engine, merges included",
                Some(self.engine_cpu + self.merge_cpu),
            ),
            ("MiB of ingest", self.ingest_mib),
            ("MiB of engine", Some(self.engine_mib)),
        ]
        .map(|(name, number)| (name.to_owned(), number))
        .into()
    }

    /// Puts the figures into a table with [`COLUMNS`].
    pub(crate) fn fill(&self, table: &mut Table, of: &str) {
        table.row(
            of,
            [
                Some(self.events_per_second),
                self.ingest_cpu,
                Some(self.engine_cpu),
                Some(self.merge_cpu),
                Some(self.broker_cpu),
                self.ingest_mib,
                Some(self.engine_mib),
            ],
        );
    }
}
