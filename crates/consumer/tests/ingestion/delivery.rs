//! From the topic to the sink, and what is committed when.

use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use consumer::{Publisher, Settings};
use tokio::time::{Instant, sleep};

use crate::harness::{Broker, Memory, Run, event, ids, metrics, other, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_valid_event_arrives_and_every_record_is_committed() {
    let broker = Broker::with_partitions(4);
    let valid = ids(0..2_000);
    let values = valid.iter().flat_map(|id| match id.as_bytes() {
        [.., b'0', b'0'] => vec![event(id), other(id), "{".to_owned()],
        _ => vec![event(id)],
    });
    broker.publish(values).await;

    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;

    assert_eq!(
        sink.kept().len(),
        2_000,
        "nothing arrives twice where nothing fails"
    );
    assert_eq!(sink.distinct(), valid);
    assert_eq!(
        (summary.kept, summary.skipped, summary.rejected, summary.lost),
        (2_000, 20, 20, 0)
    );
    assert_eq!(summary.committed.values().sum::<i64>(), 2_040);
    let committed = summary
        .committed
        .into_iter()
        .map(|(partition, offset)| (partition, Some(offset)));
    assert_eq!(broker.committed().await, committed.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_before_the_sink_has_acknowledged_it() {
    let broker = Broker::with_partitions(1);
    broker.publish(ids(0..10).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    sink.close(true);
    let run = Run::start(&broker.settings, &sink);
    until("the sink to be asked", async || sink.waiting() > 0).await;

    let several_commits_later = Instant::now() + Duration::from_millis(2_500);
    while Instant::now() < several_commits_later {
        assert_eq!(broker.committed().await[&0], None);
        sleep(Duration::from_millis(100)).await;
    }

    sink.close(false);
    until("the commit", async || broker.committed().await[&0] == Some(10)).await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_is_asked_again_until_it_takes_the_batch() {
    let broker = Broker::with_partitions(1);
    broker.publish(ids(0..10).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    sink.fail(4);
    let run = Run::start(&broker.settings, &sink);
    until("the commit", async || broker.committed().await[&0] == Some(10)).await;
    assert_eq!(sink.failures_left(), 0);
    assert_eq!(sink.kept(), ids(0..10));
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_goes_on_where_the_first_has_stopped() {
    let broker = Broker::with_partitions(4);
    broker.publish(ids(0..500).iter().map(|id| event(id))).await;
    let first = Memory::default();
    let run = Run::start(&broker.settings, &first);
    until("the first half", async || first.kept().len() == 500).await;
    let summary = run.stop().await;
    assert_eq!(
        summary.committed.values().sum::<i64>(),
        500,
        "the last commit is made before the run ends"
    );

    broker.publish(ids(500..1_000).iter().map(|id| event(id))).await;
    let second = Memory::default();
    let run = Run::start(&broker.settings, &second);
    until("the second half", async || second.kept().len() == 500).await;
    run.stop().await;
    assert_eq!(second.distinct(), ids(500..1_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_batch_is_written_when_the_run_ends() {
    let broker = Broker::with_partitions(1);
    let settings = Settings {
        batch_delay_ms: NonZeroU64::new(3_600_000).unwrap(),
        batch_records: NonZeroUsize::new(20).unwrap(),
        ..broker.settings.clone()
    };
    let (mut published, mut kept) = (0, 0);
    // A run may be stopped before it has read what lies behind the full batch, which the next run then reads.
    until("a run to be stopped with a batch open", async || {
        broker
            .publish(ids(published..published + 25).iter().map(|id| event(id)))
            .await;
        published += 25;
        let sink = Memory::default();
        let run = Run::start(&settings, &sink);
        until("the batch that is full", async || sink.kept().len() >= 20).await;
        let summary = run.stop().await;
        assert_eq!(sink.kept().len(), usize::try_from(summary.kept).unwrap());
        kept += i64::try_from(summary.kept).unwrap();
        assert_eq!(summary.committed[&0], kept);
        summary.kept % 20 != 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_once_everything_is_read_however_many_records_were_read_at_once() {
    let broker = Broker::with_partitions(1);
    let settings = Settings {
        batch_delay_ms: NonZeroU64::new(2_000).unwrap(),
        batch_records: NonZeroUsize::new(100_000).unwrap(),
        ..broker.settings.clone()
    };
    // They are ready when the run begins, and it takes 1,024 before it looks around.
    broker.publish(ids(0..1_024).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    let began = Instant::now();
    let run = Run::start(&settings, &sink);
    until("the batch", async || sink.kept().len() == 1_024).await;
    let waits_for_more = 10 * Duration::from_millis(settings.batch_delay_ms.get());
    assert!(began.elapsed() < waits_for_more, "it waited for more");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickle_makes_few_batches() {
    let broker = Broker::with_partitions(1);
    let sink = Memory::default();
    // Half of the spacing.
    sink.set_write_time(Duration::from_millis(5 * broker.settings.batch_delay_ms.get()));
    let run = Run::start(&broker.settings, &sink);
    // Joining the group takes a while, after which a backlog comes at once.
    broker.publish([event("first")]).await;
    until("the group to begin", async || !sink.kept().is_empty()).await;
    let publisher = Publisher::new(&broker.settings).unwrap();
    let began = Instant::now();
    for id in ids(0..100) {
        publisher
            .publish(None, &[], Some(event(&id).as_bytes()))
            .await
            .unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    until("all of them", async || sink.kept().len() == 101).await;
    let spacings = began.elapsed().as_millis() / (10 * u128::from(broker.settings.batch_delay_ms.get()));
    let batches = u128::from(run.stop().await.batches);
    assert!(
        batches <= spacings + 3,
        "{batches} batches, in {spacings} times the spacing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_in_time_though_the_sink_hangs() {
    let broker = Broker::with_partitions(1);
    broker.publish(ids(0..10).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    sink.close(true);
    let run = Run::start(&broker.settings, &sink);
    until("the sink to be asked", async || sink.waiting() > 0).await;
    let asked_at = Instant::now();
    let summary = run.stop().await;
    assert!(
        asked_at.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked_at.elapsed()
    );
    assert_eq!((summary.kept, summary.committed.get(&0)), (0, None));
    assert_eq!(broker.committed().await[&0], None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_slow_pauses_reading_and_loses_nothing() {
    let broker = Broker::with_partitions(4);
    let settings = Settings {
        batch_records: NonZeroUsize::new(10).unwrap(),
        batches_in_flight: NonZeroU16::new(1).unwrap(),
        ..broker.settings.clone()
    };
    let paused = || {
        metrics()
            .lines()
            .find_map(|line| line.strip_prefix("rollcall_paused ").map(str::to_owned))
    };
    metrics();
    broker.publish(ids(0..1_000).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    sink.close(true);
    let run = Run::start(&settings, &sink);
    until("the pause", async || paused().as_deref() == Some("1")).await;
    assert_eq!(sink.waiting(), 1);
    assert!(metrics().contains("# HELP rollcall_paused "), "{}", metrics());

    sink.close(false);
    until("everything to arrive", async || sink.distinct().len() == 1_000).await;
    assert_eq!(paused().as_deref(), Some("0"));
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.lost), (1_000, 0));
    assert_eq!(
        sink.kept().len(),
        1_000,
        "what was fetched ahead and dropped is read once"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_the_log_dropped_are_counted() {
    let broker = Broker::with_partitions(1);
    broker.publish(ids(0..10).iter().map(|id| event(id))).await;
    let sink = Memory::default();
    let run = Run::start(&broker.settings, &sink);
    until("the first ten", async || sink.kept().len() == 10).await;
    let summary = run.stop().await;
    assert_eq!((summary.lost, summary.committed[&0]), (0, 10));

    // The mock cluster keeps 5 MB of a partition; these do not compress.
    let mut seed = 1_u64;
    let mut noise = || {
        let letters = std::iter::repeat_with(|| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from(seed >> 58).unwrap()).to_ascii_lowercase()
        });
        letters
            .filter(char::is_ascii_alphanumeric)
            .take(400_000)
            .collect::<String>()
    };
    for id in ids(10..40) {
        broker.publish([event(&id).replace("/test", &noise())]).await;
    }
    let start = consumer::Probe::new(&broker.settings)
        .unwrap()
        .progress(crate::harness::TIMEOUT)
        .await
        .unwrap()[0]
        .start;
    assert!(start > 10, "the log begins at {start}");

    let run = Run::start(&broker.settings, &sink);
    until("the commit", async || broker.committed().await[&0] == Some(40)).await;
    let summary = run.stop().await;
    assert_eq!(summary.lost, u64::try_from(start - 10).unwrap());
    assert_eq!(i64::try_from(summary.kept).unwrap(), 40 - start);
    let lost = metrics()
        .lines()
        .find_map(|line| Some(line.strip_prefix("rollcall_records_lost_total ")?.to_owned()));
    assert!(lost.is_none_or(|lost| lost == summary.lost.to_string()));
}
