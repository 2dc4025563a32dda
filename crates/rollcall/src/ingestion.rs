//! From Kafka into ClickHouse: the consumer, with the store as its sink.

use std::time::Duration;

use aggregator::{Batch, SealedBatch, Store, migrate::SchemaState};
use consumer::{Rows, Sink, SinkError, metric};
use events::Event;
use metrics::gauge;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock;

/// How often ClickHouse, its schema and Kafka are checked while one of them is missing, and how soon new clients follow.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The store as the sink of the consumer.
struct StoreSink(Store);

/// A batch of the store as rows of the sink.
struct BatchRows(Batch);

impl Rows for BatchRows {
    fn append(&mut self, event: &Event<'_>) {
        self.0.append(event);
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

    fn rows(&self) -> BatchRows {
        BatchRows(Batch::new())
    }

    fn seal(&self, rows: BatchRows) -> SealedBatch {
        rows.0.seal()
    }

    async fn write(&self, rows: &SealedBatch) -> Result<(), SinkError> {
        self.0.insert(rows).await.map_err(|error| match error {
            aggregator::Error::InvalidRows(_) => SinkError::Refused(error.into()),
            // Where the schema or a password is wrong, the events are not at fault: they wait until it is corrected.
            _ => SinkError::Unavailable(error.into()),
        })
    }
}

/// Ingests until `shutdown`, or until an error that does not recover by itself. Waits for ClickHouse, its schema and Kafka
/// without a limit, and logs what it waits for.
///
/// # Errors
/// Where ingestion cannot continue.
pub(crate) async fn run(
    settings: consumer::Settings,
    store: Store,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    consumer::register_metrics();
    let summary = loop {
        let ready = async {
            wait_for_schema(&store).await?;
            wait_for_topics(&settings).await
        };
        match shutdown.run_until_cancelled(ready).await {
            None => return Ok(()),
            Some(ready) => ready?,
        }
        let sink = StoreSink(store.clone());
        match consumer::run(&settings, sink, clock::now, shutdown.clone()).await {
            Err(error) if error.needs_new_clients() => {
                warn!(
                    "starting again with new clients: {:#}",
                    anyhow::Error::from(error)
                );
                shutdown
                    .run_until_cancelled(tokio::time::sleep(RETRY_INTERVAL))
                    .await;
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

async fn wait_for_schema(store: &Store) -> anyhow::Result<()> {
    let mut wait = Wait::on("clickhouse");
    loop {
        let problem = match store.schema_state().await {
            Ok(SchemaState::Current) => return Ok(()),
            Ok(SchemaState::Newer { found, known }) => anyhow::bail!(
                "the schema is at version {found}, this program knows {known}: upgrade the program"
            ),
            Ok(SchemaState::Outdated { found, needed }) => {
                format!("the schema is at version {found} of {needed}: run `rollcall migrate`")
            }
            Err(error) if error.is_transient() => format!("{:#}", anyhow::Error::from(error)),
            Err(error) => return Err(error.into()),
        };
        wait.wait(problem).await;
    }
}

async fn wait_for_topics(settings: &consumer::Settings) -> anyhow::Result<()> {
    use consumer::Error::{NoTopic, Topic, Unreachable};
    let mut wait = Wait::on("kafka");
    loop {
        match consumer::ensure_topics(settings).await {
            Ok(()) => return Ok(()),
            Err(error @ NoTopic { .. }) => {
                wait.wait(format!("{error}: create it, or set kafka.create_topics"))
                    .await;
            }
            Err(error @ (Unreachable { .. } | Topic { .. })) => {
                wait.wait(format!("{:#}", anyhow::Error::from(error))).await;
            }
            Err(error) => return Err(error.into()),
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
        gauge!(metric::WAITING, "what" => self.what).set(1.0);
        if self.logged != problem {
            warn!("waiting: {problem}");
            self.logged = problem;
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        gauge!(metric::WAITING, "what" => self.what).set(0.0);
    }
}
