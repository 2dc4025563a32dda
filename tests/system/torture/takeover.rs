//! How soon another member has taken over the partitions that a member had.

use std::time::Duration;

use consumer::GroupProtocol::{self, Classic, Consumer};

use tokio::time::Instant;

use super::{
    load::{self, Load, ORG},
    report::Report,
    stack::Stack,
};
use crate::{harness::until, history::questions, oracle::question::compare};

/// How often each is measured.
const TIMES: usize = 3;

/// Ends a member again and again, and measures how long it takes until the other has its partitions, too.
async fn take_over(protocol: GroupProtocol, session: Duration) {
    let mut stack = Stack::start(session).await;
    stack.use_protocol(protocol).await;
    let mut load = Load::start(&stack.kafka.settings(), 100);
    let report = Report::start(&stack.kafka.settings());
    report.settle().await;
    for signal in ["KILL", "TERM"] {
        let mut times = Vec::new();
        for index in (0..TIMES).map(|time| time % 2) {
            let other = 1 - index;
            let assigned = stack.assigned(other).await;
            let ended_at = Instant::now();
            stack.end_member(index, signal).await;
            until("the other member has the partitions", async || {
                (stack.assigned(other).await > assigned).then_some(())
            })
            .await;
            times.push(ended_at.elapsed());
            report.settle().await;
            stack.start_member(index).await;
            until("the member has partitions again", async || {
                (stack.assigned(index).await > 0).then_some(())
            })
            .await;
        }
        times.sort_unstable();
        println!(
            "take-over: {protocol:?}, sessions of {session:?}, after SIG{signal}: {:.1?} in the median, {:.1?} at worst",
            times[times.len() / 2],
            times[times.len() - 1],
        );
    }
    let published = load.stop().await;
    report.settle().await;
    compare(&stack.api, &load::oracle(published), ORG, &questions())
        .await
        .unwrap();
    stack.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run it by name"]
async fn how_soon_a_member_is_replaced_under_both_protocols() {
    take_over(Classic, Duration::from_secs(10)).await;
    take_over(Consumer, Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run it by name"]
async fn how_soon_a_member_is_replaced_by_default_of_the_brokers() {
    take_over(Consumer, Duration::from_secs(45)).await;
}
