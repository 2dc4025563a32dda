//! How soon an answer contains an event.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use traffic::Load;
use uuid::Uuid;

use crate::{
    api::{Api, NO_SUCH_ORG},
    cli::Sizes,
    ingest::Lag,
    load::{self, BROKER_TIMEOUT, HEADERS, START},
    report::{Column, Table, to_f64, to_u64},
    sql::Sql,
    stack::{Role, Stack},
    times::Times,
};

const DATABASE: &str = "freshness";
/// How many events are timed at the same time: with more, the load of the requests would be measured.
const LANES: u32 = 2;
/// The first events of each lane are not timed.
const WARM_UP: u32 = 5;
/// How long after an answer the same is asked again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The maximum pause between events, which is random so that they arrive at any point of a batch.
const MAX_GAP_MILLIS: u64 = 200;
/// An event that is in no answer after this time ends its lane: ingestion does not keep up.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The answer to this counts the users of the timed events.
const QUESTION: &str = "usage-summary/?start_date=2025-01-01&end_date=2025-01-01";
/// How often the load is published.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(5);
/// The maximum duration of the load.
const LOAD_SECONDS: u64 = 1_800;

const COLUMNS: &[Column] = &[
    Column("median", 0),
    Column("p99", 0),
    Column("worst", 0),
    Column("samples", 0),
    Column("events/s", 0),
    Column("uncommitted", 0),
    Column("parts", 0),
];

/// Publishes events during loads of several rates, and asks for each until an answer contains it.
pub(crate) async fn measure(stack: &Stack, sizes: &Sizes, peak: f64) -> anyhow::Result<Table> {
    let pipeline = Pipeline::start(stack, DATABASE).await?;
    let caption = "milliseconds from the broker's acknowledgement of an event to an answer that contains it\n  \
                   uncommitted are the events left when the load ended; offsets are committed once a second\n  \
                   parts are those that are active in the table that has the most, when the load ended";
    let mut table = Table::new("freshness", caption.to_owned(), COLUMNS);
    for (of, rate) in [
        ("at 100 events/s", 100.0),
        ("at 1,000 events/s", 1_000.0),
        ("at 10,000 events/s", 10_000.0),
        ("at 80% of the peak", peak * 0.8),
    ] {
        let org = format!("fresh-{}", table.len());
        let Sampled {
            mut times,
            published_rate,
            uncommitted,
            parts,
        } = pipeline.sample(&org, rate, sizes.samples).await?;
        let samples = u64::try_from(times.len())?;
        table.row(
            of,
            [
                times.median(),
                times.p99(),
                times.worst(),
                Some(to_f64(samples)),
                Some(published_rate),
                Some(to_f64(uncommitted)),
                Some(parts),
            ],
        );
    }
    stack.wait_for_merges().await?;
    Ok(table)
}

/// Ingestion into a database, and the API over it.
pub(crate) struct Pipeline<'a> {
    sql: &'a Sql,
    database: String,
    kafka: consumer::Settings,
    api: Api,
    lag: Lag,
    _ingest: Role,
}

/// How soon answers contained events during a load.
pub(crate) struct Sampled {
    pub(crate) times: Times,
    /// Events per second that were published.
    published_rate: f64,
    /// Events whose offsets were not committed when the load ended.
    uncommitted: u64,
    /// The active parts of the table that had the most then.
    pub(crate) parts: f64,
}

impl<'a> Pipeline<'a> {
    /// From a new topic into a new database, both of this name.
    pub(crate) async fn start(stack: &'a Stack, name: &str) -> anyhow::Result<Self> {
        stack.migrate(name).await?;
        let kafka = stack.kafka(name, name);
        consumer::ensure_topics(&kafka).await?;
        let ingest = stack.ingest(&kafka, name).await?;
        Ok(Self {
            sql: stack.sql(),
            database: name.to_owned(),
            api: Api::start(stack, name).await?,
            lag: Lag::of(&kafka)?,
            _ingest: ingest,
            kafka,
        })
    }

    /// Samples events of an organisation during a load, and waits until all is settled.
    pub(crate) async fn sample(&self, org: &str, rate: f64, samples: u32) -> anyhow::Result<Sampled> {
        let stop = CancellationToken::new();
        let mut loading = JoinSet::new();
        loading.spawn(publish(self.kafka.clone(), rate, stop.clone()));
        let times = sample(&self.api, &self.kafka, org, samples).await;
        let uncommitted = self.lag.lag().await?;
        let count = "SELECT max(parts) FROM (SELECT count() AS parts FROM parts WHERE active AND database = ";
        let count = format!("{count}'{}' GROUP BY table)", self.database);
        let parts = to_f64(self.sql.number("system", &count).await?);
        stop.cancel();
        let published_rate = loading.join_next().await.context("the load has no result")???;
        let times = times?;
        self.lag.wait().await?;
        Ok(Sampled {
            times,
            published_rate,
            uncommitted,
            parts,
        })
    }
}

/// Publishes a load at a rate until it is stopped; returns the actual rate.
async fn publish(kafka: consumer::Settings, rate: f64, stop: CancellationToken) -> anyhow::Result<f64> {
    let publisher = consumer::Publisher::new(&kafka)?;
    let seconds = to_f64(LOAD_SECONDS);
    let mut load = Load::new(1, load::options(to_u64(rate * seconds)));
    let (began, mut sent) = (Instant::now(), 0);
    let mut ticks = tokio::time::interval(PUBLISH_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let due = to_u64(began.elapsed().as_secs_f64() * rate);
        for record in load.by_ref().take(usize::try_from(due - sent)?) {
            load::publish(&publisher, &record).await?;
        }
        sent = due;
    }
    let loaded = to_f64(sent) / began.elapsed().as_secs_f64();
    publisher.flush(BROKER_TIMEOUT).await?;
    Ok(loaded)
}

/// Publishes events in several lanes at once, and times each.
async fn sample(api: &Api, kafka: &consumer::Settings, org: &str, samples: u32) -> anyhow::Result<Times> {
    let lanes = (0..LANES).map(|lane| async move {
        let lane = Lane::new(api, kafka, format!("{org}-{lane}"))?;
        lane.run(samples / LANES).await
    });
    let mut times = Times::default();
    for sampled in try_join_all(lanes).await? {
        times.extend(sampled);
    }
    Ok(times)
}

/// Events of one organisation, one after the other.
struct Lane<'a> {
    api: &'a Api,
    producer: FutureProducer,
    topic: &'a str,
    org: String,
    random: StdRng,
}

impl<'a> Lane<'a> {
    fn new(api: &'a Api, kafka: &'a consumer::Settings, org: String) -> anyhow::Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &kafka.bootstrap_servers)
            .set("acks", "all")
            .set("linger.ms", "0")
            .create()?;
        Ok(Self {
            api,
            producer,
            topic: &kafka.topic,
            org,
            random: StdRng::seed_from_u64(1),
        })
    }

    async fn run(mut self, samples: u32) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        for user in 0..WARM_UP + samples {
            let gap = self.random.random_range(0..MAX_GAP_MILLIS);
            tokio::time::sleep(Duration::from_millis(gap)).await;
            let time = self.sample(user).await?;
            if user >= WARM_UP {
                times.push(time);
            }
            if time > TIMEOUT {
                break;
            }
        }
        Ok(times)
    }

    /// Publishes a message of one more user, and waits until an answer counts them.
    async fn sample(&mut self, user: u32) -> anyhow::Result<Duration> {
        let event = self.event(user);
        let headers = HEADERS.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: *value })
        });
        let record: FutureRecord<'_, str, String> =
            FutureRecord::to(self.topic).payload(&event).headers(headers);
        self.producer
            .send(record, BROKER_TIMEOUT)
            .await
            .map_err(|(error, _)| error)?;
        let acknowledged = Instant::now();
        loop {
            let answer = self.api.ask(&self.org, QUESTION, NO_SUCH_ORG).await?;
            let users = answer.and_then(|answer| answer[0]["user_count"].as_u64());
            let elapsed = acknowledged.elapsed();
            if users > Some(u64::from(user)) || elapsed > TIMEOUT {
                return Ok(elapsed);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn event(&mut self, user: u32) -> String {
        let id = Uuid::from_u128(self.random.random());
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "/rollcall/bench",
            "type": "chat.message.created.v1",
            "time": START.to_rfc3339(),
            "org": self.org,
            "data": {
                "message_id": id,
                "conversation_id": id,
                "role": "user",
                "user_id": format!("user-{user}"),
                "content": "How long does it take until I am counted?",
            },
        });
        event.to_string()
    }
}
