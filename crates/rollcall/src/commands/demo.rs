//! `rollcall demo`

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aggregator::Store;
use anyhow::Context;
use consumer::{PartitionProgress, Probe, Publisher};
use indicatif::ProgressBar;
use tempfile::TempDir;
use traffic::{Published, World, WorldOptions};

use super::EVENT_HEADERS;
use crate::{
    cli::{DemoOptions, ExternalServices},
    clock, progress,
    ready::Ready,
    settings::Settings,
    shutdown::Tasks,
    stack::Stack,
    telemetry,
};

/// How many users the made-up organisations have together.
const USERS: u32 = 3_000;
/// The maximum number of records that wait to be ingested: far fewer than the embedded broker holds.
const MAX_BACKLOG: u64 = 50_000;
/// After how many records the backlog is checked.
const CHUNK_RECORDS: usize = 10_000;
/// How long the broker may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the backlog is checked while it is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How often live traffic is published.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(500);

/// Everything embedded, on made-up history and live traffic, until stopped.
pub(crate) async fn run(
    mut settings: Settings,
    options: DemoOptions,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    settings.http.addr = Some(settings.http.addr.unwrap_or_else(default_or_free));
    let mut tasks = Tasks::new()?;
    let (data_dir, _temporary) = data_dir(&settings)?;
    let metrics = telemetry::start_metrics(&mut tasks)?;
    let spinner = progress::spinner("starting broker and engine");
    let started = tasks
        .unless_stopped(Stack::start(settings, data_dir, ExternalServices::default()))
        .await;
    spinner.finish_and_clear();
    let Some(stack) = started? else {
        return Ok(());
    };

    let demo = Demo {
        world: World::new(WorldOptions {
            seed: 1,
            orgs: Vec::new(),
            users: USERS,
            days: options.days,
            end: clock::now(),
        }),
        rate: options.rate,
        publisher: Publisher::new(&stack.settings().kafka)?,
        probe: Probe::new(&stack.settings().kafka)?,
        store: Store::new(&stack.settings().clickhouse),
        ready: stack.ready(),
        ready_file: ready_file.map(Path::to_owned),
    };
    let shutdown = tasks.shutdown();
    tasks.spawn(async move { shutdown.run_until_cancelled(demo.run()).await.unwrap_or(Ok(())) });
    let _announcement = stack.announce()?;
    stack.run(tasks, metrics).await
}

/// The default address, or a free one if that is in use: what is printed names it.
fn default_or_free() -> SocketAddr {
    let default = Settings::default().http.addr();
    match TcpListener::bind(default) {
        Ok(_free) => default,
        Err(_) => SocketAddr::new(default.ip(), 0),
    }
}

/// The directory that was asked for, or a temporary one that is removed with the demo.
fn data_dir(settings: &Settings) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if let Some(dir) = &settings.embedded.data_dir {
        return Ok((dir.clone(), None));
    }
    let temporary = TempDir::with_prefix("rollcall-demo-").context("cannot make a temporary directory")?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

struct Demo {
    world: Arc<World>,
    rate: f64,
    publisher: Publisher,
    probe: Probe,
    store: Store,
    ready: Ready,
    ready_file: Option<PathBuf>,
}

impl Demo {
    async fn run(&self) -> anyhow::Result<()> {
        // A data directory that is used again has its history already.
        if !self.store.org_exists(&self.world.example().org).await? {
            self.publish_history().await?;
        }
        self.print();
        self.ready.write(self.ready_file.as_deref())?;
        self.publish_live().await
    }

    async fn publish_history(&self) -> anyhow::Result<()> {
        let spinner = progress::spinner("making up a history");
        let records: Vec<Published> = self.world.history().collect();
        spinner.finish_and_clear();
        let bar = progress::count("history into rollups", u64::try_from(records.len())?, "events");
        for chunk in records.chunks(CHUNK_RECORDS) {
            for record in chunk {
                self.publish(record).await?;
            }
            self.publisher.flush(BROKER_TIMEOUT).await?;
            self.wait_for_backlog(MAX_BACKLOG, &bar).await?;
        }
        self.wait_for_backlog(0, &bar).await?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Waits until at most that many records are left to ingest; the bar shows how many are ingested.
    async fn wait_for_backlog(&self, at_most: u64, ingested: &ProgressBar) -> anyhow::Result<()> {
        loop {
            let progress = self.probe.progress(BROKER_TIMEOUT).await?;
            let lag = progress.iter().map(PartitionProgress::lag).sum();
            ingested.set_position(self.publisher.acknowledged().saturating_sub(lag));
            if lag <= at_most {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn publish_live(&self) -> anyhow::Result<()> {
        let mut live = self.world.live(self.rate);
        let mut ticks = tokio::time::interval(PUBLISH_INTERVAL);
        let mut last = Instant::now();
        loop {
            ticks.tick().await;
            let elapsed = last.elapsed();
            last += elapsed;
            for record in live.tick(clock::now(), elapsed) {
                self.publish(&record).await?;
            }
        }
    }

    async fn publish(&self, record: &Published) -> anyhow::Result<()> {
        let (key, value) = (record.key.as_bytes(), record.json.as_bytes());
        let published = self.publisher.publish(Some(key), &EVENT_HEADERS, Some(value));
        Ok(published.await?)
    }

    #[expect(clippy::print_stdout, reason = "where to look is the output of this command")]
    fn print(&self) {
        let example = self.world.example();
        let url = self.ready.api_url.as_deref().unwrap_or_default();
        let key = self.ready.api_key.as_deref().unwrap_or_default();
        let request = |what: &str, endpoint: &str, options: &str| {
            println!(
                "{what}:\n  curl -H 'Authorization: Api-Token {key}' \\\n    \
                 '{url}/api/ai-analytics/orgs/{}/users/me/{endpoint}/?start_date={}&end_date={}{options}'\n",
                example.org, example.start, example.end
            );
        };
        let mentor = &example.mentor;
        request("\nActive users a day", "usage-summary", "");
        request(
            &format!("New and returning users a week, with the mentor {mentor}"),
            "user-cohorts-over-time",
            &format!("&aggregation=weekly&mentor_id={mentor}"),
        );
        request("The latest conversations", "transcripts", "&page=1&page_size=3");
        println!(
            "Look at it all, with the key {key}: {url}/?org={}\nRead the API at {url}/docs/\nPublish your own events to Kafka at {}, topic {}\n\
             Live traffic continues at {} events a second. Ctrl-C stops it.",
            example.org,
            self.ready.bootstrap_servers.as_deref().unwrap_or_default(),
            self.ready.topic.as_deref().unwrap_or_default(),
            self.rate
        );
    }
}
