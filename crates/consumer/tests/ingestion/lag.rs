//! How many records wait, as metrics show it.

use std::num::{NonZeroU16, NonZeroUsize};

use consumer::{PartitionProgress, Probe, Progress, Settings};

use crate::harness::{Broker, Memory, Run, TIMEOUT, event, ids, metrics, until};

/// Runs of other tests, in the same process, have fewer partitions. Only those from here on are compared.
const FIRST: i32 = 6;

/// The lag of each partition as the metric has it.
fn measured() -> Vec<Option<u64>> {
    let all = metrics();
    let of = |partition| {
        let start = format!("rollcall_lag_records{{partition=\"{partition}\"}} ");
        all.lines()
            .find_map(|line| line.strip_prefix(&start)?.parse().ok())
    };
    (FIRST..FIRST + 3).map(of).collect()
}

/// The lag of each partition as seen from outside of the group.
async fn probed(settings: &Settings) -> Vec<Option<u64>> {
    let progress = Probe::new(settings).unwrap().progress(TIMEOUT).await.unwrap();
    let compared = progress.iter().filter(|partition| partition.partition >= FIRST);
    compared.map(PartitionProgress::lag).map(Some).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_rises_while_partitions_are_paused_and_is_zero_once_all_is_settled() {
    let broker = Broker::with_partitions(FIRST + 3);
    let settings = Settings {
        batch_records: NonZeroUsize::new(10).unwrap(),
        batches_in_flight: NonZeroU16::new(1).unwrap(),
        ..broker.settings.clone()
    };
    let sink = Memory::default();
    sink.close(true);
    metrics();
    let run = Run::start(&settings, &sink);
    // Partitions are paused within this.
    for round in 0..5 {
        broker
            .publish(ids(round * 200..(round + 1) * 200).iter().map(|id| event(id)))
            .await;
        let expected = probed(&settings).await;
        assert!(expected.iter().all(|lag| *lag > Some(0)), "{expected:?}");
        until("the lag to be that of the log", async || measured() == expected).await;
        let lag = broker.lag().await;
        until("the sink to know it", async || sink.progress().lag == lag).await;
    }
    sink.close(false);
    until("the lag to be zero", async || measured() == [Some(0); 3]).await;
    broker.publish(["no event".to_owned()]).await;
    let all = Progress { lag: 0, rejected: 1 };
    until("the sink to know that all is settled", async || {
        sink.progress() == all
    })
    .await;
    assert_eq!(run.stop().await.kept, 1_000);
    assert_eq!(broker.lag().await, 0);
}
