//! How fresh answers are, as ingestion reports it and the API says it.

use crate::{
    harness::{Process, until},
    history,
    oracle::wire::{Spelling, record},
    records::Record,
};

#[tokio::test(flavor = "multi_thread")]
async fn how_far_ingestion_is_comes_with_each_answer_and_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let events: Vec<_> = (0..200).map(|number| history::event("acme", number)).collect();
    let newest = events.iter().map(|event| event.time).max().unwrap();
    let records = events.iter().map(|event| record(event, Spelling::default()));
    up.publish_records(records.chain([Record::structured("no event")]))
        .await;
    up.settled().await;
    let told = until("ingestion to report that it is done", async || {
        let (status, told) = up.get("acme", "pipeline/").await;
        let is_done = status == 200 && told["rejected"] == 1 && told["lag"] == 0;
        is_done.then_some(told)
    })
    .await;
    assert_eq!(told["newest_event_at"], newest.to_rfc3339());
    let url = up.url("acme", "usage-summary/?start_date=2024-01-01&end_date=2024-01-01");
    let age = until("an answer to say how fresh it is", async || {
        let answer = up.fetch(&url).await;
        let age = answer.headers().get("x-newest-event-age")?.to_str().unwrap();
        Some(age.parse::<u64>().unwrap())
    })
    .await;
    // The events are of 2024.
    assert!(age > 365 * 24 * 3_600, "{age}");
}
