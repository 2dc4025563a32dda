//! From Kafka into ClickHouse: the consumer, with the store as its sink.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aggregator::{
    Batch, Erased, LastLook, Report, SealedBatch, Store,
    migrate::{Access, SchemaState},
};
use consumer::{Probe, Progress, Rows, Sink, SinkError, metric};
use events::{Event, Timestamp};
use metrics::{Unit, counter, describe_counter, gauge};
use query::Check;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock;

/// How often ClickHouse, its schema and Kafka are checked while one of them is missing, and how soon new clients follow.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long the brokers may take to return what the group has committed.
const GROUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a running ingestion looks whether a newer program has changed the schema.
const SCHEMA_INTERVAL: Duration = Duration::from_secs(5);

/// Why ClickHouse takes no batches until somebody changes something.
#[derive(Debug, Clone, Default)]
pub(crate) struct InsertProblem(Arc<Mutex<Reasons>>);

#[derive(Debug, Default)]
struct Reasons {
    /// It refuses record after record.
    records: Option<String>,
    /// It has refused the last insert for other reasons than its rows.
    insert: Option<String>,
}

impl InsertProblem {
    fn reasons(&self) -> MutexGuard<'_, Reasons> {
        lock(&self.0)
    }

    /// A check for `/readyz`: ClickHouse takes batches, as far as is known.
    pub(crate) fn check(&self) -> Check {
        let problem = self.clone();
        Check::new("inserts", move || {
            let Reasons { records, insert } = &*problem.reasons();
            let reason = records.as_ref().or(insert.as_ref()).cloned();
            async move { reason.map_or(Ok(()), Err) }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store as the sink of the consumer.
struct StoreSink {
    store: Store,
    database: String,
    problem: InsertProblem,
    progress: Arc<Mutex<Reached>>,
}

/// How far a run of ingestion is.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    newest: Option<Timestamp>,
    progress: Progress,
}

/// A batch of the store as rows of the sink.
struct BatchRows(Batch);

impl Rows for BatchRows {
    fn append(&mut self, event: &Event<'_>) {
        if !self.0.append(event) {
            counter!(ERASED_RECORDS).increment(1);
        }
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Sink for StoreSink {
    type Rows = BatchRows;
    type Sealed = SealedBatch;

    fn database(&self) -> &str {
        &self.database
    }

    fn rows(&self) -> BatchRows {
        BatchRows(self.store.batch())
    }

    fn seal(&self, rows: BatchRows) -> SealedBatch {
        rows.0.seal()
    }

    fn note_progress(&self, progress: Progress) {
        lock(&self.progress).progress = progress;
    }

    fn note_blocked(&self, reason: Option<&str>) {
        self.problem.reasons().records = reason.map(str::to_owned);
    }

    async fn write(&self, rows: &SealedBatch) -> Result<(), SinkError> {
        self.judge(self.store.insert(rows, clock::now).await)?;
        let mut reached = lock(&self.progress);
        reached.newest = reached.newest.max(rows.newest());
        Ok(())
    }

    async fn check(&self, rows: &SealedBatch) -> Result<(), SinkError> {
        self.judge(self.store.insert_facts(rows).await)
    }
}

impl StoreSink {
    /// Tells what is at fault where an insert failed.
    fn judge(&self, inserted: Result<(), aggregator::Error>) -> Result<(), SinkError> {
        let Err(error) = inserted else {
            self.problem.reasons().insert = None;
            return Ok(());
        };
        Err(match error {
            aggregator::Error::InvalidRows(_) => SinkError::Refused(error.into()),
            aggregator::Error::TooLarge(_) => SinkError::TooLarge(error.into()),
            aggregator::Error::Unanswered(_) => SinkError::Unanswered(error.into()),
            aggregator::Error::Unavailable(_) => SinkError::Unavailable(error.into()),
            // Where the schema, a right or a password is wrong, the events are not at fault: they wait until it is corrected.
            _ => {
                let error = anyhow::Error::from(error);
                self.problem.reasons().insert = Some(format!("{error:#}"));
                SinkError::Unavailable(error.into())
            }
        })
    }
}

/// Registers the counters of ingestion at 0. To be called before others are told that it runs, as they may read the metrics
/// at once.
pub(crate) fn register_metrics() {
    consumer::register_metrics();
    describe_counter!(
        OBSERVED_PERIODS,
        Unit::Count,
        "periods of the past whose users or conversations were counted, because none was or something late came"
    );
    counter!(OBSERVED_PERIODS).increment(0);
    describe_counter!(
        ERASED_RECORDS,
        Unit::Count,
        "records that were kept out, as they are of users who are to be forgotten"
    );
    counter!(ERASED_RECORDS).increment(0);
}

/// Ingests until `shutdown`, or until an error that does not recover by itself. Waits for ClickHouse, its schema and Kafka
/// without a limit, and logs what it waits for.
///
/// # Errors
/// Where ingestion cannot continue.
pub(crate) async fn run(
    settings: consumer::Settings,
    store: Store,
    problem: InsertProblem,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let summary = loop {
        let ready = async {
            wait_for_schema(&store).await?;
            wait_for_topics(&settings).await?;
            let database = wait_for_database_id(&store).await?;
            wait_for_erasures(&store).await?;
            wait_for_group(&settings, &database).await?;
            anyhow::Ok(database)
        };
        let Some(database) = shutdown.run_until_cancelled(ready).await else {
            return Ok(());
        };
        *problem.reasons() = Reasons::default();
        let (run, progress) = (rand::random(), Arc::default());
        let sink = StoreSink {
            progress: Arc::clone(&progress),
            store: store.clone(),
            database: database?,
            problem: problem.clone(),
        };
        let stop = shutdown.child_token();
        let mut running = pin!(consumer::run(&settings, sink, clock::now, stop.clone()));
        let ended = tokio::select! {
            ended = running.as_mut() => ended,
            newer = newer_schema(&store) => {
                stop.cancel();
                running.await?;
                return Err(newer);
            }
            never = observe(&store) => match never {},
            never = erase(&store) => match never {},
            never = report_again_and_again(&store, run, &progress) => match never {},
        };
        // What was settled since the report before is known to nobody else.
        let last = timeout(LAST_REPORT_TIMEOUT, report(&store, run, &progress));
        drop(last.await);
        match ended {
            // What is missing is logged by then.
            Err(consumer::Error::Denied(_)) => {
                shutdown.run_until_cancelled(sleep(RETRY_INTERVAL)).await;
            }
            Err(error @ consumer::Error::Disconnected { .. }) => {
                consumer::warn_away(format_args!("starting again with new clients: {error}"));
                let answered = shutdown.run_until_cancelled(wait_for_brokers(&settings));
                answered.await.transpose()?;
            }
            Err(error) if error.needs_new_clients() => {
                warn!(
                    "starting again with new clients: {:#}",
                    anyhow::Error::from(error)
                );
                shutdown.run_until_cancelled(sleep(RETRY_INTERVAL)).await;
            }
            ended => break ended?,
        }
    };
    info!(
        kept = summary.kept,
        skipped = summary.skipped,
        rejected = summary.rejected,
        lost = summary.lost,
        "ingestion ended"
    );
    Ok(())
}

/// How often it is reported how far a run is.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// How long the last report of a run may take: with it a shutdown takes no longer than it may.
const LAST_REPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// Reports how far a run is, for ever.
async fn report_again_and_again(store: &Store, run: u64, reached: &Mutex<Reached>) -> Infallible {
    loop {
        report(store, run, reached).await;
        sleep(REPORT_INTERVAL).await;
    }
}

/// Reports how far a run is. What cannot be reported is with the next report.
async fn report(store: &Store, run: u64, reached: &Mutex<Reached>) {
    let Reached { newest, progress } = *lock(reached);
    let report = Report {
        run,
        as_of: clock::now(),
        newest_event_at: newest,
        lag: progress.lag,
        rejected: progress.rejected,
    };
    if let Err(error) = store.report(report).await {
        debug!("the progress is not reported: {:#}", anyhow::Error::from(error));
    }
}

/// How many periods of the past were counted.
const OBSERVED_PERIODS: &str = "rollcall_observed_periods_total";

/// How many records were kept out.
const ERASED_RECORDS: &str = "rollcall_erased_records_total";

/// Erases what is asked for, for ever.
async fn erase(store: &Store) -> Infallible {
    let mut warned = false;
    loop {
        sleep(store.erase_interval()).await;
        let erased = store.erase(|step| debug!("erasing: {step}")).await;
        match &erased {
            Ok(Erased::Requests(requests)) => info!(requests, "erased what was asked for"),
            Err(error) if !warned => {
                let error: &dyn std::error::Error = error;
                warn!(error, "what is to be erased stays until it can be");
            }
            _ => {}
        }
        warned = erased.is_err();
    }
}

/// Observes what has ended, for ever.
async fn observe(store: &Store) -> Infallible {
    let (mut last, mut warned) = (LastLook::default(), false);
    loop {
        sleep(store.observe_interval()).await;
        let observed = store.observe(clock::now(), &mut last).await;
        counter!(OBSERVED_PERIODS).increment(observed.as_ref().copied().unwrap_or_default());
        if let (Err(error), false) = (&observed, warned) {
            let error: &dyn std::error::Error = error;
            warn!(error, "the past is counted from rows: it cannot be observed");
        }
        warned = observed.is_err();
    }
}

async fn wait_for_schema(store: &Store) -> anyhow::Result<()> {
    let mut wait = Wait::on("clickhouse");
    loop {
        let problem = match store.schema_state(Access::Write).await {
            Ok(SchemaState::Current) => return Ok(()),
            Ok(SchemaState::Newer { found, known }) => return Err(newer(found, known)),
            Ok(SchemaState::Outdated { found, needed }) => {
                format!("the schema is at version {found} of {needed}: run `rollcall migrate`")
            }
            Err(error) if error.is_transient() => format!("{:#}", anyhow::Error::from(error)),
            Err(error) => return Err(error.into()),
        };
        wait.wait(problem).await;
    }
}

/// Returns once the schema is one that this program cannot write.
async fn newer_schema(store: &Store) -> anyhow::Error {
    loop {
        sleep(SCHEMA_INTERVAL).await;
        if let Ok(SchemaState::Newer { found, known }) = store.schema_state(Access::Write).await {
            return newer(found, known);
        }
    }
}

fn newer(found: u32, known: u32) -> anyhow::Error {
    anyhow::anyhow!("the schema is at version {found}, this program knows {known}: upgrade the program")
}

/// Returns once a broker answers. That none does is logged once a minute by the clients.
async fn wait_for_brokers(settings: &consumer::Settings) -> anyhow::Result<()> {
    let (probe, wait) = (Probe::new(settings)?, Wait::on("kafka"));
    while let Err(consumer::Error::Unreachable { .. }) = probe.ping(GROUP_TIMEOUT).await {
        wait.pause().await;
    }
    Ok(())
}

async fn wait_for_topics(settings: &consumer::Settings) -> anyhow::Result<()> {
    use consumer::Error::{Denied, NoTopic, Topic, Unreachable};
    let mut wait = Wait::on("kafka");
    loop {
        match consumer::ensure_topics(settings).await {
            Ok(()) => return Ok(()),
            Err(error @ NoTopic { .. }) => {
                wait.wait(format!("{error}: create it, or set kafka.create_topics"))
                    .await;
            }
            Err(Denied(denial)) => {
                consumer::note_missing_right(&denial);
                wait.pause().await;
            }
            Err(error @ (Unreachable { .. } | Topic { .. })) => {
                wait.wait(format!("{:#}", anyhow::Error::from(error))).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn wait_for_database_id(store: &Store) -> anyhow::Result<String> {
    let mut wait = Wait::on("clickhouse");
    loop {
        match store.database_id().await {
            Err(error) if error.is_transient() => {
                wait.wait(format!("{:#}", anyhow::Error::from(error))).await;
            }
            id => return Ok(id?),
        }
    }
}

/// Waits until it is known who is to be forgotten.
async fn wait_for_erasures(store: &Store) -> anyhow::Result<()> {
    let mut wait = Wait::on("clickhouse");
    loop {
        match store.refresh_erasures().await {
            Err(error) if error.is_transient() => {
                wait.wait(format!("{:#}", anyhow::Error::from(error))).await;
            }
            known => return Ok(known?),
        }
    }
}

/// Waits while the group stands for what another database holds: joining it would take records from that one.
async fn wait_for_group(settings: &consumer::Settings, database: &str) -> anyhow::Result<()> {
    use consumer::Error::{Denied, NoTopic, OtherDatabase, Topic, Unreachable};
    let probe = Probe::new(settings)?;
    let mut wait = Wait::on("kafka");
    loop {
        match probe.check_database(database, GROUP_TIMEOUT).await {
            Err(Denied(denial)) => {
                consumer::note_missing_right(&denial);
                wait.pause().await;
            }
            Err(error @ (OtherDatabase { .. } | NoTopic { .. } | Topic { .. } | Unreachable { .. })) => {
                wait.wait(format!("{:#}", anyhow::Error::from(error))).await;
            }
            checked => return Ok(checked?),
        }
    }
}

/// Waiting for something that ingestion cannot start without.
struct Wait {
    what: &'static str,
    /// The last problem that was logged.
    logged: String,
}

impl Wait {
    const fn on(what: &'static str) -> Self {
        Self {
            what,
            logged: String::new(),
        }
    }

    /// Waits for [`RETRY_INTERVAL`], and logs the problem unless it was logged last.
    async fn wait(&mut self, problem: String) {
        if self.logged != problem {
            warn!("waiting: {problem}");
            self.logged = problem;
        }
        self.pause().await;
    }

    /// Waits for [`RETRY_INTERVAL`].
    async fn pause(&self) {
        gauge!(metric::WAITING, "what" => self.what).set(1.0);
        sleep(RETRY_INTERVAL).await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        gauge!(metric::WAITING, "what" => self.what).set(0.0);
    }
}
