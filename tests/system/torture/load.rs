//! What is published: good events, some of them twice, some in transactions, and poison records.

use std::time::Duration;

use consumer::{Publisher, Settings};
use oracle::Oracle;
use rdkafka::error::KafkaResult;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    harness::DEADLINE,
    history::event,
    oracle::wire::{Spelling, record},
    records::Record,
    transactions::Transactions,
};

pub(crate) const ORG: &str = "torture";
/// The header of every record that must be dead-lettered.
pub(crate) const POISON: &str = "poison";
/// A text that ClickHouse refuses: see `Stack`.
pub(crate) const FORBIDDEN: &str = "forbidden";
/// The first number of events of transactions that are aborted, none of which may count.
pub(crate) const ABORTED: u32 = 1_000_000_000;
/// One event of so many is published in a transaction, …
const TRANSACTIONAL: u32 = 20;
/// … which one begins this long after the one before, …
const TRANSACTION_INTERVAL: Duration = Duration::from_millis(100);
/// … and how many wait for the next at most.
const MAX_WAITING: usize = 10_000;
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
    let (transactional, waiting) = mpsc::channel(MAX_WAITING);
    let mut transactions = JoinSet::new();
    transactions.spawn_blocking({
        let settings = settings.clone();
        move || publish_in_transactions(&settings, waiting)
    });
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
                publish_all(&publisher, acknowledged..number, plain_records).await;
            }
            acknowledged = number;
        }
        if last {
            drop(transactional);
            transactions.join_next().await.unwrap().unwrap();
            return number;
        }
        ticks.tick().await;
        publish_all(&publisher, number..number + events, plain_records).await;
        for number in (number..number + events).filter(|number| is_transactional(*number)) {
            transactional.send(number).await.unwrap();
        }
        number += events;
    }
}

/// Publishes events in transactions, as many in each as have come, until no more do. What is not committed is published
/// again.
fn publish_in_transactions(settings: &Settings, mut waiting: mpsc::Receiver<u32>) {
    let (mut producers, mut numbers) = (None, Vec::new());
    while waiting.blocking_recv_many(&mut numbers, MAX_WAITING) > 0 {
        let began = Instant::now();
        while let Err(error) = publish_transaction(settings, &mut producers, &numbers) {
            assert!(
                began.elapsed() < DEADLINE,
                "no transaction can be committed: {error}"
            );
            producers = None;
        }
        numbers.clear();
        // A few transactions a second.
        std::thread::sleep(TRANSACTION_INTERVAL);
    }
}

/// Publishes events in one transaction, and between them events of another that is aborted.
fn publish_transaction(
    settings: &Settings,
    producers: &mut Option<[Transactions; 2]>,
    numbers: &[u32],
) -> KafkaResult<()> {
    let [committed, aborted] = match producers {
        Some(producers) => producers,
        None => producers.insert([
            Transactions::start(settings, "committed")?,
            Transactions::start(settings, "aborted")?,
        ]),
    };
    committed.begin()?;
    aborted.begin()?;
    for number in numbers {
        committed.send(&good(*number))?;
        aborted.send(&good(ABORTED + number))?;
    }
    aborted.flush()?;
    if numbers.len().is_multiple_of(2) {
        committed.commit()?;
        aborted.abort()
    } else {
        aborted.abort()?;
        committed.commit()
    }
}

/// Whether an event is published in a transaction while a load runs.
fn is_transactional(number: u32) -> bool {
    number % TRANSACTIONAL == TRANSACTIONAL - 1
}

/// The records that are published for an event: itself, and others beside it.
fn records(number: u32) -> Vec<Record> {
    let mut records = further_records(number);
    records.push(good(number));
    records
}

/// The records that are published for an event outside of transactions.
fn plain_records(number: u32) -> Vec<Record> {
    if is_transactional(number) {
        further_records(number)
    } else {
        records(number)
    }
}

/// What is published now and then with an event: an earlier one again, or poison records.
fn further_records(number: u32) -> Vec<Record> {
    let mut records = Vec::new();
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
