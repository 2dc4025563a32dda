//! From a full topic to settled rollups.

use std::{
    fmt,
    time::{Duration, Instant},
};

use consumer::{PartitionProgress, Probe, Publisher};

use super::{Part, Stack};
use crate::{
    clock,
    generate::{Load, LoadOptions, Tally},
    progress,
};

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);
const DAYS: i64 = 40;

/// What was measured.
#[derive(Debug)]
pub(super) struct Figures {
    tally: Tally,
    events: u64,
    seconds: f64,
    ingest_cpu: f64,
    engine_cpu: f64,
    ingest_peak_mib: u64,
    engine_peak_mib: u64,
}

impl fmt::Display for Figures {
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "shown with few digits"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millions = self.events as f64 / 1e6;
        writeln!(
            f,
            "ingest: {} events of about 600 bytes, topic to settled rollups",
            self.events
        )?;
        let Tally {
            messages,
            annotations,
            registrations,
            repeated,
            malformed,
        } = self.tally;
        writeln!(
            f,
            "  {messages} messages, {annotations} annotations, {registrations} registrations, {repeated} repeated, \
             {malformed} malformed"
        )?;
        writeln!(
            f,
            "  {:>10.0} events/s ({:.1} s from the first settled batch to the last)",
            self.events as f64 / self.seconds,
            self.seconds
        )?;
        writeln!(
            f,
            "  {:>10.1} CPU s per million events in ingest",
            self.ingest_cpu / millions
        )?;
        writeln!(
            f,
            "  {:>10.1} CPU s per million events in the engine",
            self.engine_cpu / millions
        )?;
        writeln!(f, "  {:>10} MiB peak memory of ingest", self.ingest_peak_mib)?;
        writeln!(f, "  {:>10} MiB peak memory of the engine", self.engine_peak_mib)
    }
}

/// Fills the topic, starts ingestion, and waits until nothing is left.
pub(super) async fn measure(stack: &Stack, events: u64) -> anyhow::Result<Figures> {
    let kafka = stack.kafka();
    let tally = fill(&kafka, events).await?;

    let probe = Probe::new(&kafka)?;
    let before = stack.engine.cpu_seconds()?;
    let part = Part::start(
        "ingest",
        &["ingest", "--http-addr", "127.0.0.1:0"],
        &stack.variables,
        &stack.dir,
    )
    .await?;
    let bar = progress::events("ingesting", events);
    let mut first = None;
    let (began, settled_before) = loop {
        let lag: u64 = probe
            .progress(PATIENCE)
            .await?
            .iter()
            .map(PartitionProgress::lag)
            .sum();
        let now = Instant::now();
        bar.set_position(events.saturating_sub(lag));
        if lag < events && first.is_none() {
            first = Some((now, events - lag));
        }
        if lag == 0 {
            break first.unwrap_or((now, 0));
        }
        tokio::time::sleep(GLANCE).await;
    };
    bar.finish_and_clear();
    Ok(Figures {
        tally,
        events: events - settled_before,
        seconds: began.elapsed().as_secs_f64().max(f64::EPSILON),
        ingest_cpu: part.cpu_seconds()?,
        engine_cpu: stack.engine.cpu_seconds()? - before,
        ingest_peak_mib: part.peak_mib()?,
        engine_peak_mib: stack.engine.peak_mib()?,
    })
}

async fn fill(kafka: &consumer::Settings, events: u64) -> anyhow::Result<Tally> {
    let start = events::Timestamp::from_millis(clock::now().as_millis() - DAYS * 86_400_000);
    let publisher = Publisher::new(kafka)?;
    let headers = [("content-type", Some(b"application/cloudevents+json".as_slice()))];
    let bar = progress::events("filling the topic", events);
    let mut load = Load::new(1, LoadOptions::new(events, start));
    for record in load.by_ref() {
        // Without a key, so that no partition outgrows what the embedded broker keeps of it.
        publisher
            .publish(None, &headers, Some(record.json.as_bytes()))
            .await?;
        bar.inc(1);
    }
    publisher.flush(PATIENCE).await?;
    bar.finish_and_clear();
    Ok(load.tally())
}
