//! Heavy and light load for a long time: memory stays within its budget, parts stay few, and ingestion catches up.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    load::{self, Load, ORG},
    report::Report,
    stack::Stack,
};
use crate::{harness::DEADLINE, history::questions, oracle::question::compare};

/// Events a second, more than this machine ingests.
const FLOOD: u32 = 20_000;
/// Events a second.
const TRICKLE: u32 = 10;
/// `kafka.budget_bytes`, by default.
const BUDGET: u64 = 256 << 20;
/// ClickHouse slows inserts down at 1,000 parts of a table, by default.
const MANY_PARTS: u64 = 100;
const POLL_INTERVAL: Duration = Duration::from_secs(1);

async fn start() -> Stack {
    Stack::start(Duration::from_secs(10)).await
}

fn assert_memory_within_budget(stack: &Stack) {
    let peak = stack.peak_memory();
    println!(
        "soak: peak memory of an ingest {} MiB of {} MiB",
        peak >> 20,
        BUDGET >> 20
    );
    assert!(peak <= BUDGET, "{peak} bytes, of {BUDGET}");
}

/// Asserts that no table has many parts; returns the largest number.
async fn assert_few_parts(stack: &Stack) -> u64 {
    let parts = stack.parts().await;
    let most = parts[0].1;
    assert!(most <= MANY_PARTS, "{parts:?}");
    most
}

async fn answers_are_exact(stack: &Stack, published: u32) {
    compare(&stack.api, &load::oracle(published), ORG, &questions())
        .await
        .unwrap();
}

/// Has ClickHouse away for this long under full load.
async fn outlast(away: Duration) {
    let stack = start().await;
    let report = Report::start(&stack.kafka.settings());
    let mut load = Load::start(&stack.kafka.settings(), FLOOD);
    stack.lose_clickhouse(away).await;
    let published = load.stop().await;
    let took = report.settle_within(away * 20 + DEADLINE).await;
    println!("soak: ClickHouse away for {away:?}, {published} events published; caught up after {took:?}");
    assert_memory_within_budget(&stack);
    println!("soak: {} parts of a table", assert_few_parts(&stack).await);
    answers_are_exact(&stack, published).await;
    stack.end().await;
}

/// Publishes ten events a second for this long.
async fn trickle(duration: Duration) {
    let stack = start().await;
    let report = Report::start(&stack.kafka.settings());
    let mut load = Load::start(&stack.kafka.settings(), TRICKLE);
    let (ends, mut most) = (Instant::now() + duration, 0);
    while Instant::now() < ends {
        sleep(POLL_INTERVAL).await;
        most = most.max(assert_few_parts(&stack).await);
    }
    let published = load.stop().await;
    report.settle().await;
    println!(
        "soak: {published} events in {duration:?}; never more than {most} parts of a table; at the end {:?}",
        stack.parts().await
    );
    answers_are_exact(&stack, published).await;
    stack.end().await;
}

/// Starts ingestion with this many events waiting. ClickHouse refuses none of them: finding those takes a second each.
async fn work_off(backlog: u32) {
    let mut stack = start().await;
    stack.stop_members().await;
    load::publish_good(&stack.kafka.settings(), 0..backlog).await;
    let report = Report::start(&stack.kafka.settings());
    stack.start_members().await;
    let took = report.settle_within(Duration::from_secs(3_600)).await;
    println!("soak: a backlog of {backlog} events, worked off after {took:?}");
    assert_memory_within_budget(&stack);
    println!("soak: {} parts of a table", assert_few_parts(&stack).await);
    stack.end().await;
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
