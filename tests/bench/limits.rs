//! What each part alone could do: no pipeline of them can be faster than the slowest.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use aggregator::{Batch, SealedBatch, Store};
use anyhow::ensure;
use events::Decoded;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use tokio::task::JoinSet;
use traffic::Load;

use crate::{
    load,
    report::{Column, Table, to_f64},
    stack::Stack,
};

/// The maximum number of events in memory: they have some 600 bytes each.
const MAX_RECORDS: u64 = 1_000_000;
/// The minimum time that the decoder is measured.
const MIN_DURATION: Duration = Duration::from_secs(3);
/// How long the broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits, all per second.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Events read by librdkafka.
    drained: f64,
    /// Events decoded, …
    decoded: f64,
    /// … and their gigabytes.
    gigabytes: f64,
    /// Events inserted by the engine.
    inserted: f64,
}

const COLUMNS: &[Column] = &[Column("events/s", 0), Column("GB/s", 2), Column("ours / it", 2)];

/// Drains the topic, decodes events in memory, and inserts batches from memory.
pub(crate) async fn measure(stack: &Stack, events: u64) -> anyhow::Result<Figures> {
    let kafka = stack.kafka("events", "limits");
    let drained = tokio::task::spawn_blocking(move || drain(&kafka, events)).await??;
    let (records, bytes) = tokio::task::spawn_blocking(move || records(events)).await?;
    let records = Arc::new(records);
    let decoding = Arc::clone(&records);
    let decoded = tokio::task::spawn_blocking(move || decode(&decoding)).await?;
    let mean_bytes = to_f64(bytes) / to_f64(u64::try_from(records.len())?);
    Ok(Figures {
        drained,
        decoded,
        gigabytes: decoded * mean_bytes / 1e9,
        inserted: insert(stack, &records).await?,
    })
}

/// The table of the limits, with how near to each we are.
pub(crate) fn table(limits: &Figures, ours: f64) -> Table {
    let slowest = limits.drained.min(limits.decoded).min(limits.inserted);
    let caption = format!(
        "each part alone, with the machine to itself\n  rollcall is at {:.2} of the slowest",
        ours / slowest
    );
    let mut table = Table::new("limits", caption, COLUMNS);
    for (of, limit, gigabytes) in [
        (
            "librdkafka draining the topic, doing nothing",
            limits.drained,
            None,
        ),
        (
            "the decoder, in memory, one thread",
            limits.decoded,
            Some(limits.gigabytes),
        ),
        (
            "the engine taking prepared batches, two in flight",
            limits.inserted,
            None,
        ),
    ] {
        table.row(of, [Some(limit), gigabytes, Some(ours / limit)]);
    }
    table
}

/// Reads every record of the topic, from the first to the last; records per second.
fn drain(kafka: &consumer::Settings, events: u64) -> anyhow::Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", &kafka.group_id)
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..i32::from(kafka.partitions.get()) {
        partitions.add_partition_offset(&kafka.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let (mut began, mut read) = (None, 0);
    while read < events {
        let record = consumer.poll(BROKER_TIMEOUT);
        let now = Instant::now();
        let record = record.ok_or_else(|| anyhow::anyhow!("the broker is silent"))??;
        black_box(record.payload());
        began.get_or_insert(now);
        read += 1;
    }
    let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    Ok(to_f64(read) / seconds)
}

/// The values of the topic's first records, and their bytes.
fn records(events: u64) -> (Vec<String>, u64) {
    let count = usize::try_from(events.min(MAX_RECORDS)).unwrap_or(usize::MAX);
    let values = Load::new(1, load::options(events)).take(count);
    let values: Vec<String> = values.map(|record| record.json).collect();
    let bytes = values.iter().map(String::len).sum::<usize>();
    (values, u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// Decodes the records repeatedly, one after the other; records per second.
fn decode(records: &[String]) -> f64 {
    let began = Instant::now();
    let mut decoded = 0;
    while began.elapsed() < MIN_DURATION {
        for value in records {
            // Malformed events take time too.
            let _outcome = black_box(decoded_of(value));
            decoded += 1;
        }
    }
    to_f64(decoded) / began.elapsed().as_secs_f64()
}

fn decoded_of(value: &str) -> Result<Decoded<'_>, events::Rejection> {
    events::decode(load::HEADERS.into_iter(), Some(value.as_bytes()), load::NOW)
}

/// Inserts the events of the records in batches as `ingest` closes them; events per second.
async fn insert(stack: &Stack, records: &[String]) -> anyhow::Result<f64> {
    let settings = consumer::Settings::default();
    let mut batches: Vec<SealedBatch> = Vec::new();
    let mut batch = Batch::new();
    for value in records {
        if let Ok(Decoded::Event(event)) = decoded_of(value) {
            batch.append(&event);
        }
        if batch.len() == settings.batch_records.get() || batch.bytes() >= settings.batch_bytes.get() {
            batches.push(std::mem::take(&mut batch).seal());
        }
    }
    if !batch.is_empty() {
        batches.push(batch.seal());
    }
    stack.migrate("limits").await?;
    stack.wait_for_merges().await?;
    let store = Store::new(&stack.clickhouse("limits"));
    let began = Instant::now();
    let mut inserts = JoinSet::new();
    for batch in batches {
        if inserts.len() == usize::from(settings.batches_in_flight.get())
            && let Some(inserted) = inserts.join_next().await
        {
            inserted??;
        }
        let store = store.clone();
        inserts.spawn(async move { store.insert(&batch, || load::START).await });
    }
    while let Some(inserted) = inserts.join_next().await {
        inserted??;
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(seconds > 0.0, "too few events to measure");
    stack.sql().run("DROP DATABASE limits SYNC").await?;
    Ok(to_f64(u64::try_from(records.len())?) / seconds)
}
