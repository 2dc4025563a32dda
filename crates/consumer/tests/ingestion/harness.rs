//! A broker, a sink, and runs of ingestion between them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use consumer::{Error, Probe, Progress, Publisher, Rows, Settings, Sink, SinkError, Summary};
use events::{Event, Timestamp};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long anything may take before a test gives up on it. The mock cluster alone waits 3 seconds for members
/// before a group begins.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// What the clock of every run shows.
pub(crate) const NOW: &str = "2025-06-01T12:00:00Z";

/// A broker with the event topic and the dead-letter topic.
pub(crate) struct Broker {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    pub(crate) settings: Settings,
}

impl Broker {
    pub(crate) fn with_partitions(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        let settings = Settings {
            bootstrap_servers: cluster.bootstrap_servers(),
            batch_records: NonZeroUsize::new(100).unwrap(),
            batch_delay_ms: NonZeroU64::new(20).unwrap(),
            batches_in_flight: NonZeroU16::new(2).unwrap(),
            ..Settings::default()
        };
        cluster.create_topic(&settings.topic, partitions, 1).unwrap();
        cluster.create_topic(&settings.dead_letter_topic, 1, 1).unwrap();
        Self { cluster, settings }
    }

    /// As [`publish`].
    pub(crate) async fn publish(&self, values: impl IntoIterator<Item = String>) {
        publish(&self.settings, values).await;
    }

    /// What is committed, by partition.
    pub(crate) async fn committed(&self) -> BTreeMap<i32, Option<i64>> {
        let progress = Probe::new(&self.settings)
            .unwrap()
            .progress(TIMEOUT)
            .await
            .unwrap();
        progress
            .into_iter()
            .map(|partition| (partition.partition, partition.committed))
            .collect()
    }

    /// As [`lag`].
    pub(crate) async fn lag(&self) -> u64 {
        lag(&self.settings).await
    }

    /// The first records of a topic, by partition and offset, once there are as many.
    pub(crate) async fn records(&self, topic: &str, count: usize) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.settings.bootstrap_servers)
            .set("group.id", "reader")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            all.add_partition_offset(topic, partition.id(), Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        let mut records = Vec::new();
        until("the topic to hold its records", async || {
            while let Some(record) = consumer.poll(Duration::ZERO) {
                records.push(record.unwrap().detach());
            }
            records.len() >= count
        })
        .await;
        records.sort_by_key(|record| {
            use rdkafka::Message;
            (record.partition(), record.offset())
        });
        records
    }
}

/// Publishes values and waits until they are acknowledged.
pub(crate) async fn publish(settings: &Settings, values: impl IntoIterator<Item = String>) {
    let publisher = Publisher::new(settings).unwrap();
    let mut count = 0;
    for (index, value) in values.into_iter().enumerate() {
        publisher
            .publish(Some(index.to_string().as_bytes()), &[], Some(value.as_bytes()))
            .await
            .unwrap();
        count += 1;
    }
    publisher.flush(TIMEOUT).await.unwrap();
    assert_eq!(publisher.acknowledged(), count);
}

/// How many records are not settled.
pub(crate) async fn lag(settings: &Settings) -> u64 {
    let progress = Probe::new(settings).unwrap().progress(TIMEOUT).await.unwrap();
    progress.iter().map(consumer::PartitionProgress::lag).sum()
}

/// A sink in memory, which can be closed and made to fail.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<State>);

#[derive(Default)]
struct State {
    kept: Mutex<Vec<String>>,
    closed: AtomicBool,
    write_time: Mutex<Duration>,
    waiting: AtomicUsize,
    attempts: AtomicUsize,
    writes: AtomicUsize,
    failures: AtomicU32,
    refuses: Mutex<BTreeSet<String>>,
    refuses_alone: AtomicUsize,
    database: OnceLock<String>,
    refuses_all: AtomicBool,
    max_rows: AtomicUsize,
    max_answered: AtomicUsize,
    too_large: Mutex<Option<String>>,
    blocked: Mutex<Option<String>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
pub(crate) struct Ids {
    ids: Vec<String>,
    bytes: usize,
}

impl Rows for Ids {
    fn append(&mut self, event: &Event<'_>) {
        self.bytes += event.id.len();
        self.ids.push(event.id.clone().into_owned());
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Sink for Memory {
    type Rows = Ids;
    type Sealed = Ids;

    fn database(&self) -> &str {
        self.0.database.get().map_or("memory", String::as_str)
    }

    fn rows(&self) -> Ids {
        Ids::default()
    }

    fn seal(&self, rows: Ids) -> Ids {
        rows
    }

    fn note_progress(&self, progress: Progress) {
        *self.0.progress.lock().unwrap() = progress;
    }

    fn note_blocked(&self, reason: Option<&str>) {
        *self.0.blocked.lock().unwrap() = reason.map(str::to_owned);
    }

    async fn write(&self, rows: &Ids) -> Result<(), SinkError> {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        self.check(rows).await?;
        self.0.kept.lock().unwrap().extend(rows.ids.iter().cloned());
        Ok(())
    }

    async fn check(&self, rows: &Ids) -> Result<(), SinkError> {
        self.0.attempts.fetch_add(1, Ordering::SeqCst);
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let write_time = *self.0.write_time.lock().unwrap();
        sleep(write_time).await;
        while self.0.closed.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(1)).await;
        }
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        if self.0.refuses_all.load(Ordering::SeqCst) {
            return Err(SinkError::Refused("nobody is welcome".into()));
        }
        let too_many = (1..rows.ids.len()).contains(&self.0.max_rows.load(Ordering::SeqCst));
        let too_large = self.0.too_large.lock().unwrap().clone();
        if too_many || too_large.is_some_and(|id| rows.ids.contains(&id)) {
            return Err(SinkError::TooLarge("not all at once".into()));
        }
        if (1..rows.ids.len()).contains(&self.0.max_answered.load(Ordering::SeqCst)) {
            return Err(SinkError::Unanswered("gone".into()));
        }
        let mut refuses = self.0.refuses.lock().unwrap();
        if let Some(id) = rows.ids.iter().find(|id| refuses.contains(*id)) {
            if rows.ids.len() == 1 && self.0.refuses_alone.fetch_sub(1, Ordering::SeqCst) == 1 {
                refuses.clear();
            }
            return Err(SinkError::Refused(format!("{id} is not welcome").into()));
        }
        drop(refuses);
        let left = self.0.failures.load(Ordering::SeqCst);
        if left > 0 {
            self.0.failures.store(left - 1, Ordering::SeqCst);
            return Err(SinkError::Unavailable("not now".into()));
        }
        Ok(())
    }
}

impl Memory {
    /// A sink in another database than that of all others.
    pub(crate) fn of_database(id: &str) -> Self {
        let memory = Self::default();
        memory.0.database.set(id.to_owned()).unwrap();
        memory
    }

    /// Ids in the order of their arrival, repetitions included.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.0.kept.lock().unwrap().clone()
    }

    /// Ids in order, without repetitions.
    pub(crate) fn distinct(&self) -> Vec<String> {
        let mut ids = self.kept();
        ids.sort();
        ids.dedup();
        ids
    }

    /// How long each write takes from now on.
    pub(crate) fn set_write_time(&self, time: Duration) {
        *self.0.write_time.lock().unwrap() = time;
    }

    /// While it is closed, writes wait.
    pub(crate) fn close(&self, closed: bool) {
        self.0.closed.store(closed, Ordering::SeqCst);
    }

    /// How many writes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// How often rows were checked or written, or tried to be.
    pub(crate) fn attempts(&self) -> usize {
        self.0.attempts.load(Ordering::SeqCst)
    }

    /// How often rows were written, or tried to be.
    pub(crate) fn writes(&self) -> usize {
        self.0.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, times: u32) {
        self.0.failures.store(times, Ordering::SeqCst);
    }

    pub(crate) fn failures_left(&self) -> u32 {
        self.0.failures.load(Ordering::SeqCst)
    }

    /// From now on it refuses none of those that it was to refuse.
    pub(crate) fn welcome(&self) {
        self.0.refuses.lock().unwrap().clear();
    }

    /// It refuses none any more once it has refused so many rows alone.
    pub(crate) fn welcome_after(&self, refused_alone: usize) {
        self.0.refuses_alone.store(refused_alone, Ordering::SeqCst);
    }

    /// While it refuses all, no row is taken.
    pub(crate) fn refuse_all(&self, refuses: bool) {
        self.0.refuses_all.store(refuses, Ordering::SeqCst);
    }

    /// From now on it takes no more rows than that at once.
    pub(crate) fn take_at_most(&self, rows: usize) {
        self.0.max_rows.store(rows, Ordering::SeqCst);
    }

    /// From now on it does not answer to more rows than that at once.
    pub(crate) fn answer_at_most(&self, rows: usize) {
        self.0.max_answered.store(rows, Ordering::SeqCst);
    }

    /// From now on the row of this event is too large for it.
    pub(crate) fn find_too_large(&self, id: String) {
        *self.0.too_large.lock().unwrap() = Some(id);
    }

    /// Why it was noted that nothing is written.
    pub(crate) fn progress(&self) -> Progress {
        *self.0.progress.lock().unwrap()
    }

    pub(crate) fn blocked(&self) -> Option<String> {
        self.0.blocked.lock().unwrap().clone()
    }

    /// From now on it refuses rows among which one of these is.
    pub(crate) fn refuse(&self, ids: impl IntoIterator<Item = String>) {
        self.0.refuses.lock().unwrap().extend(ids);
    }
}

/// A run of ingestion. It ends with its test.
pub(crate) struct Run {
    shutdown: CancellationToken,
    task: AbortOnDropHandle<Result<Summary, Error>>,
}

impl Run {
    pub(crate) fn start(settings: &Settings, sink: &Memory) -> Self {
        let (settings, sink) = (settings.clone(), sink.clone());
        Self::spawn(async move |token| consumer::run(&settings, sink, now, token).await)
    }

    /// Runs one after the other, as `ingest` does where new clients may go on. Before it looks at the clock, each calls
    /// `hold`, which may block it.
    pub(crate) fn keep(
        settings: &Settings,
        sink: &Memory,
        hold: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Self {
        let (settings, sink) = (settings.clone(), sink.clone());
        Self::spawn(async move |token: CancellationToken| {
            loop {
                let hold = hold.clone();
                let clock = move || {
                    hold();
                    now()
                };
                match consumer::run(&settings, sink.clone(), clock, token.clone()).await {
                    Err(error) if error.needs_new_clients() => sleep(Duration::from_millis(100)).await,
                    ended => return ended,
                }
            }
        })
    }

    fn spawn<R>(run: impl FnOnce(CancellationToken) -> R) -> Self
    where
        R: Future<Output = Result<Summary, Error>> + Send + 'static,
    {
        let shutdown = CancellationToken::new();
        let task = AbortOnDropHandle::new(spawn(run(shutdown.clone())));
        Self { shutdown, task }
    }

    /// Asks the run to end and waits until it has.
    pub(crate) async fn stop(self) -> Summary {
        self.shutdown.cancel();
        self.end().await.unwrap()
    }

    /// Waits until the run has ended.
    pub(crate) async fn end(self) -> Result<Summary, Error> {
        timeout(TIMEOUT, self.task).await.expect("the run ends").unwrap()
    }
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(NOW).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the handle is kept, and aborts what it stands for"
)]
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A valid event.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"chat.user.registered.v1",
            "time":"2025-05-01T10:00:00Z","org":"acme",
            "data":{{"user_id":"u-{id}","registered_at":"2025-05-01T10:00:00Z"}}}}"#
    )
}

/// A CloudEvent of a type that is not ours.
pub(crate) fn other(id: &str) -> String {
    event(id).replace("chat.user.registered.v1", "chat.user.sneezed.v1")
}

/// Ids of valid events, in order.
pub(crate) fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("e{number:06}")).collect()
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// What is measured, of all runs of this process, as Prometheus reads it.
pub(crate) fn metrics() -> String {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let handle = PrometheusBuilder::new().install_recorder().unwrap();
        consumer::register_metrics();
        handle
    });
    handle.render()
}
