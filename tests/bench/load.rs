//! Topics full of events.

use std::time::Duration;

use consumer::Publisher;
use events::Timestamp;
use traffic::{Load, LoadOptions, Published, Tally};

/// The beginning of 2025.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);
/// The time at which records count as read: later than every event.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// The header of every record.
pub(crate) const HEADERS: [(&str, Option<&[u8]>); 1] =
    [("content-type", Some(b"application/cloudevents+json"))];

/// How long the broker may take to answer.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(30);

/// A load of that many events, in the mix of a busy platform. The same number gives the same bytes.
pub(crate) fn options(events: u64) -> LoadOptions {
    LoadOptions::new(events, START)
}

/// Makes the topic of the settings and fills it with the load of a seed.
pub(crate) async fn fill(
    kafka: &consumer::Settings,
    seed: u64,
    options: LoadOptions,
) -> anyhow::Result<Tally> {
    consumer::ensure_topics(kafka).await?;
    let publisher = Publisher::new(kafka)?;
    let mut load = Load::new(seed, options);
    for record in load.by_ref() {
        publish(&publisher, &record).await?;
    }
    publisher.flush(BROKER_TIMEOUT).await?;
    Ok(load.tally())
}

/// Queues a record.
pub(crate) async fn publish(publisher: &Publisher, record: &Published) -> Result<(), consumer::Error> {
    let (key, value) = (record.key.as_bytes(), record.json.as_bytes());
    publisher.publish(Some(key), &HEADERS, Some(value)).await
}
