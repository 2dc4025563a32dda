//! ClickHouse is away under full load: memory stays within its budget, and ingestion catches up by itself.

use std::time::Duration;

use super::{
    field::{Field, Manners},
    load::{self, Load, ORG},
    report::Report,
};
use crate::{history::questions, oracle::question::compare};

/// More than this machine ingests.
const RATE: u32 = 20_000;
/// `kafka.budget_bytes`, by default.
const BUDGET: u64 = 256 << 20;

async fn outlast(away: Duration) {
    let session = Duration::from_secs(10);
    let field = Field::start(&Manners { session }).await;
    let report = Report::start(&field.kafka.settings());
    let mut load = Load::start(&field.kafka.settings(), RATE);
    field.lose_clickhouse(away).await;
    let published = load.stop().await;
    let took = report.settle().await;
    let peak = field.peak_memory();
    println!(
        "soak: ClickHouse away for {away:?}, {published} events published; caught up after {took:?}; peak memory of an \
         ingest {} MiB of {} MiB",
        peak >> 20,
        BUDGET >> 20
    );
    assert!(peak <= BUDGET, "{peak} bytes, of {BUDGET}");
    compare(&field.api, &load::oracle(published), ORG, &questions())
        .await
        .unwrap();
    field.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_within_its_budget_while_clickhouse_is_away() {
    outlast(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes several minutes: run it by name"]
async fn memory_stays_within_its_budget_while_clickhouse_is_away_for_two_minutes() {
    outlast(Duration::from_secs(120)).await;
}
