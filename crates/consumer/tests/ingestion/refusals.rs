//! What a sink refuses that is not the fault of single records.

use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};

use rdkafka::Message;
use rdkafka::message::Headers;

use crate::harness::{Broker, Memory, Run, event, ids, until};

/// The maximum number of records that are dead-lettered in a row while nothing is accepted.
const MAX_REFUSED: u64 = 10;

/// A broker with these events in batches of about so many.
async fn broker(all: &[String], batch_records: usize) -> Broker {
    let mut broker = Broker::with_partitions(1);
    broker.settings.batch_records = NonZeroUsize::new(batch_records).unwrap();
    broker.settings.batch_delay_ms = NonZeroU64::new(200).unwrap();
    broker.publish(all.iter().map(|id| event(id))).await;
    broker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_refuses_whatever_comes_gets_no_record_dead_lettered_and_is_waited_for() {
    let all = ids(0..300);
    let broker = broker(&all, 100).await;
    let sink = Memory::default();
    sink.refuse_all(true);
    let run = Run::start(&broker.settings, &sink);
    until("ingestion to wait", async || sink.blocked().is_some()).await;
    assert_eq!(sink.blocked().as_deref(), Some("nobody is welcome"));
    // It goes on trying, and nothing else happens.
    let attempts = sink.attempts();
    until("it to be tried again", async || sink.attempts() > attempts + 5).await;
    assert_eq!(broker.committed().await[&0], None);

    sink.refuse_all(false);
    until("everything to be committed", async || broker.lag().await == 0).await;
    assert_eq!(sink.blocked(), None);
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (300, 0));
    assert_eq!(sink.distinct(), all);
}

/// A message, of another kind than `event`.
fn message(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"chat.message.created.v1",
            "time":"2025-05-01T10:00:00Z","org":"acme",
            "data":{{"message_id":"{uuid}","conversation_id":"{uuid}","role":"user"}}}}"#,
        uuid = "00000000-0000-0000-0000-000000000001"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_kind_that_is_refused_are_not_called_bad_because_others_are_accepted() {
    let mut broker = Broker::with_partitions(1);
    broker.settings.batch_records = NonZeroUsize::new(100).unwrap();
    let all = ids(0..200);
    let is_message = |index: usize| !index.is_multiple_of(4);
    let values = all.iter().enumerate();
    let values = values.map(|(index, id)| if is_message(index) { message(id) } else { event(id) });
    broker.publish(values).await;
    let sink = Memory::default();
    sink.refuse(
        (0..200)
            .filter(|index| is_message(*index))
            .map(|index| all[index].clone()),
    );
    let run = Run::start(&broker.settings, &sink);
    until("ingestion to wait", async || sink.blocked().is_some()).await;
    sink.welcome();
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (200, 0));
    assert_eq!(sink.distinct(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_accepted_once_others_were_refused_too_are_kept() {
    let all = ids(0..40);
    let broker = broker(&all, 40).await;
    let sink = Memory::default();
    sink.refuse([3, 20, 35].map(|index: usize| all[index].clone()));
    sink.welcome_after(3);
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (40, 0));
    assert_eq!(sink.distinct(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn few_records_are_dead_lettered_before_ingestion_waits_however_small_the_batches() {
    let all = ids(0..40);
    let broker = broker(&all, 1).await;
    let sink = Memory::default();
    sink.refuse_all(true);
    let run = Run::start(&broker.settings, &sink);
    until("ingestion to wait", async || sink.blocked().is_some()).await;
    sink.refuse_all(false);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!(summary.rejected, MAX_REFUSED);
    assert_eq!(summary.kept + summary.rejected, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bad_records_in_a_row_among_good_ones_are_dead_lettered_alone() {
    let all = ids(0..200);
    // At the beginning, before anything was accepted, and later: more in a row than are believed without proof.
    let bad: Vec<String> = [&all[..40], &all[120..170]].concat();
    let broker = broker(&all, 100).await;
    let sink = Memory::default();
    sink.refuse(bad.iter().cloned());
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (110, 90));
    let good: Vec<String> = all.into_iter().filter(|id| !bad.contains(id)).collect();
    assert_eq!(sink.distinct(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_alone_in_their_batches_are_dead_lettered_once_others_were_accepted() {
    let all = ids(0..60);
    let broker = broker(&all, 1).await;
    let sink = Memory::default();
    sink.refuse(all[5..25].iter().cloned());
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (40, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_too_large_is_written_in_parts_and_the_next_are_smaller() {
    let all = ids(0..2_000);
    let mut broker = broker(&all, 100).await;
    broker.settings.batches_in_flight = NonZeroU16::MIN;
    let sink = Memory::default();
    sink.take_at_most(30);
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (2_000, 0));
    assert_eq!(sink.kept().len(), 2_000, "nothing is written twice");
    assert_eq!(sink.distinct(), all);
    assert_eq!(sink.blocked(), None);
    let writes = sink.writes();
    // A batch of a hundred takes eight: twenty of them 160.
    assert!(writes < 120, "{writes} writes: each batch was too large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_never_answered_is_written_in_parts_where_a_smaller_one_is() {
    let all = ids(0..400);
    let mut broker = broker(&all, 100).await;
    broker.settings.batches_in_flight = NonZeroU16::MIN;
    let sink = Memory::default();
    sink.answer_at_most(30);
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (400, 0));
    assert_eq!(sink.distinct(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_alone_is_dead_lettered() {
    let all = ids(0..100);
    let broker = broker(&all, 100).await;
    let sink = Memory::default();
    sink.find_too_large(all[70].clone());
    let run = Run::start(&broker.settings, &sink);
    until("everything to be committed", async || broker.lag().await == 0).await;
    let summary = run.stop().await;
    assert_eq!((summary.kept, summary.rejected), (99, 1));
    let letters = broker.records(&broker.settings.dead_letter_topic, 1).await;
    let mut headers = letters[0].headers().unwrap().iter();
    let reason = headers.find(|header| header.key == "rollcall_reason").unwrap();
    let reason = String::from_utf8_lossy(reason.value.unwrap());
    assert!(reason.contains("kafka.max_record_bytes"), "{reason}");
}
