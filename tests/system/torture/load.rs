//! What is published: good events, some of them twice, and poison records.

use std::time::Duration;

use consumer::{Publisher, Settings};
use oracle::Oracle;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    harness::DEADLINE,
    history::event,
    oracle::wire::{Spelling, record},
    records::Record,
};

pub(crate) const ORG: &str = "torture";
/// The header of every record that must be dead-lettered.
pub(crate) const POISON: &str = "poison";
/// A text that ClickHouse refuses: see `Stack`.
pub(crate) const FORBIDDEN: &str = "forbidden";
/// The first number of events of transactions that are aborted, none of which may count.
pub(crate) const ABORTED: u32 = 1_000_000_000;
/// How often events are published, where they are many a second.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(10);
/// How many events are published before all must be acknowledged, …
const MAX_UNACKNOWLEDGED: u32 = 20_000;
/// … within this time.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// A producer that runs.
#[derive(Debug)]
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    task: JoinSet<u32>,
}

impl Load {
    /// Publishes this many events a second, and poison records between them.
    pub(crate) fn start(settings: &Settings, rate: u32) -> Self {
        Self::start_at(settings, rate, 0)
    }

    /// As [`Load::start`], where the first events are published already.
    pub(crate) fn start_at(settings: &Settings, rate: u32, first: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let settings = settings.clone();
        let mut task = JoinSet::new();
        let each_tick = (rate / 100).max(1);
        let tick = PUBLISH_INTERVAL.max(Duration::from_secs(1) / rate);
        task.spawn(publish(settings, first, (tick, each_tick), stopped));
        Self { stop, task }
    }

    /// Waits until everything is acknowledged. Returns how many events there are.
    pub(crate) async fn stop(&mut self) -> u32 {
        self.stop.send_replace(true);
        self.task.join_next().await.unwrap().unwrap()
    }
}

/// An oracle of the first events.
pub(crate) fn oracle(events: u32) -> Oracle {
    let mut oracle = Oracle::default();
    (0..events).for_each(|number| oracle.add(&event(ORG, number)));
    oracle
}

/// Publishes some events with the repeated and poison records between them, and waits until everything is acknowledged.
pub(crate) async fn publish_some(settings: &Settings, numbers: std::ops::Range<u32>) {
    publish_each(settings, numbers, records).await;
}

/// Publishes some events and nothing else, and waits until everything is acknowledged.
pub(crate) async fn publish_good(settings: &Settings, numbers: std::ops::Range<u32>) {
    publish_each(settings, numbers, |number| vec![good(number)]).await;
}

async fn publish_each(settings: &Settings, numbers: std::ops::Range<u32>, records: fn(u32) -> Vec<Record>) {
    let publisher = Publisher::new(settings).unwrap();
    publish_all(&publisher, numbers, records).await;
    publisher.flush(DEADLINE).await.unwrap();
}

async fn publish_all(publisher: &Publisher, numbers: std::ops::Range<u32>, records: fn(u32) -> Vec<Record>) {
    for number in numbers {
        for mut record in records(number) {
            record.key = Some(key(number));
            record.publish(publisher).await;
        }
    }
}

/// Publishes some events at each interval, from the first on, until it is stopped.
async fn publish(
    settings: Settings,
    first: u32,
    (every, events): (Duration, u32),
    stopped: watch::Receiver<bool>,
) -> u32 {
    let mut publisher = Publisher::new(&settings).unwrap();
    let mut ticks = interval(every);
    // Ticks missed while the broker is away are not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut number, mut acknowledged) = (first, first);
    loop {
        let last = *stopped.borrow();
        if last || number - acknowledged >= MAX_UNACKNOWLEDGED {
            // A client that knows no broker any more is replaced, and what is not acknowledged is published again.
            let began = Instant::now();
            while let Err(error) = publisher.flush(FLUSH_TIMEOUT).await {
                assert!(began.elapsed() < DEADLINE, "nothing can be published: {error}");
                publisher = Publisher::new(&settings).unwrap();
                publish_all(&publisher, acknowledged..number, records).await;
            }
            acknowledged = number;
        }
        if last {
            return number;
        }
        ticks.tick().await;
        publish_all(&publisher, number..number + events, records).await;
        number += events;
    }
}

/// The records that are published for an event: itself, and now and then an earlier one again or poison records.
fn records(number: u32) -> Vec<Record> {
    let mut records = vec![good(number)];
    if number.is_multiple_of(97) {
        records.push(good(number / 2));
    }
    if number.is_multiple_of(199) {
        records.push(malformed(number));
    }
    if number.is_multiple_of(4_999) {
        records.push(refused(number));
    }
    records
}

/// The record of an event.
pub(crate) fn good(number: u32) -> Record {
    Record {
        key: Some(key(number)),
        ..record(&event(ORG, number), Spelling::default())
    }
}

/// Each of many partitions gets one key in sixteen, as it gets users.
fn key(number: u32) -> Vec<u8> {
    format!("user-{}", number % 160).into()
}

/// A record that ClickHouse is made to refuse.
pub(crate) fn refused(number: u32) -> Record {
    poison(Some(forbidden(number).to_string().into()))
}

fn poison(value: Option<Vec<u8>>) -> Record {
    let mut record = Record::structured(value.as_deref().unwrap_or_default());
    record.value = value;
    record.headers.push((POISON.to_owned(), None));
    record
}

/// A record that is not an event.
fn malformed(number: u32) -> Record {
    let mut event = forbidden(number);
    poison(match number % 5 {
        0 => None,
        1 => Some(vec![0xff, b'{']),
        2 => Some(br#"{"specversion":"1.0"}"#.into()),
        3 => {
            event["data"]["role"] = json!("oracle");
            Some(event.to_string().into())
        }
        _ => {
            event["time"] = json!("2999-01-01T00:00:00Z");
            Some(event.to_string().into())
        }
    })
}

/// An event that ClickHouse is made to refuse.
fn forbidden(number: u32) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("forbidden-{number}"),
        "source": "/torture",
        "type": "chat.message.created.v1",
        "time": "2024-01-15T12:00:00Z",
        "org": ORG,
        "data": {
            "message_id": format!("ffffffff-0000-0000-0000-{number:012}"),
            "conversation_id": format!("eeeeeeee-0000-0000-0000-{number:012}"),
            "role": "user",
            "user_id": format!("forbidden-{number}"),
            "content": FORBIDDEN,
        },
    })
}
