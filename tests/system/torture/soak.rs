//! Much for long, or little for long: memory stays within its budget, parts stay few, and ingestion catches up by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    field::{Field, Manners},
    load::{self, Load, ORG},
    report::Report,
};
use crate::{harness::DEADLINE, history::questions, oracle::question::compare};

/// More than this machine ingests.
const FLOOD: u32 = 20_000;
const TRICKLE: u32 = 10;
/// `kafka.budget_bytes`, by default.
const BUDGET: u64 = 256 << 20;
/// ClickHouse slows inserts down at 1,000 parts of a table, by default.
const MANY_PARTS: u64 = 100;
const POLL_INTERVAL: Duration = Duration::from_secs(1);

async fn start() -> Field {
    let session = Duration::from_secs(10);
    Field::start(&Manners { session }).await
}

fn hold_the_budget(field: &Field) {
    let peak = field.peak_memory();
    println!(
        "soak: peak memory of an ingest {} MiB of {} MiB",
        peak >> 20,
        BUDGET >> 20
    );
    assert!(peak <= BUDGET, "{peak} bytes, of {BUDGET}");
}

/// How many parts the table has that has the most.
async fn hold_the_parts(field: &Field) -> u64 {
    let parts = field.parts().await;
    let most = parts[0].1;
    assert!(most <= MANY_PARTS, "{parts:?}");
    most
}

async fn answers_are_exact(field: &Field, published: u32) {
    compare(&field.api, &load::oracle(published), ORG, &questions())
        .await
        .unwrap();
}

/// ClickHouse is away so long under full load.
async fn outlast(away: Duration) {
    let field = start().await;
    let report = Report::start(&field.kafka.settings());
    let mut load = Load::start(&field.kafka.settings(), FLOOD);
    field.lose_clickhouse(away).await;
    let published = load.stop().await;
    let took = report.settle_within(away * 20 + DEADLINE).await;
    println!("soak: ClickHouse away for {away:?}, {published} events published; caught up after {took:?}");
    hold_the_budget(&field);
    println!("soak: {} parts of a table", hold_the_parts(&field).await);
    answers_are_exact(&field, published).await;
    field.end().await;
}

/// Ten events come a second, for so long.
async fn trickle(duration: Duration) {
    let field = start().await;
    let report = Report::start(&field.kafka.settings());
    let mut load = Load::start(&field.kafka.settings(), TRICKLE);
    let (ends, mut most) = (Instant::now() + duration, 0);
    while Instant::now() < ends {
        sleep(POLL_INTERVAL).await;
        most = most.max(hold_the_parts(&field).await);
    }
    let published = load.stop().await;
    report.settle().await;
    println!(
        "soak: {published} events in {duration:?}; never more than {most} parts of a table; at the end {:?}",
        field.parts().await
    );
    answers_are_exact(&field, published).await;
    field.end().await;
}

/// So many events wait when ingestion begins, none of which is refused: to find those that are takes a second each.
async fn work_off(backlog: u32) {
    let mut field = start().await;
    field.dismiss_members().await;
    load::publish_good(&field.kafka.settings(), 0..backlog).await;
    let report = Report::start(&field.kafka.settings());
    field.call_members().await;
    let took = report.settle_within(Duration::from_secs(3_600)).await;
    println!("soak: a backlog of {backlog} events, worked off after {took:?}");
    hold_the_budget(&field);
    println!("soak: {} parts of a table", hold_the_parts(&field).await);
    field.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_by_bytes_while_clickhouse_is_away() {
    outlast(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes several minutes: run it by name"]
async fn memory_is_bounded_by_bytes_while_clickhouse_is_away_for_two_minutes() {
    outlast(Duration::from_secs(120)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes several minutes: run it by name, in a release build"]
async fn memory_is_bounded_by_bytes_with_ten_million_events_waiting() {
    work_off(10_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_too_many_parts_under_a_trickle() {
    trickle(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes an hour: run it by name"]
async fn no_too_many_parts_under_a_trickle_of_an_hour() {
    trickle(Duration::from_secs(3_600)).await;
}
