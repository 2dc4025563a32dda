//! `rollcall demo`

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aggregator::Store;
use anyhow::Context;
use consumer::{Probe, Publisher};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use traffic::{Published, World, WorldOptions};

use crate::{
    clock, progress,
    ready::Ready,
    settings::Settings,
    shutdown,
    stack::{Real, Stack},
    telemetry,
};

/// How many users the made-up organisations have together.
const USERS: u32 = 3_000;
/// How many records may wait to be ingested: far fewer than the embedded broker holds.
const BACKLOG: u64 = 50_000;
/// After how many records the backlog is looked at.
const STRIDE: usize = 10_000;
/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the backlog is looked at while it is waited for.
const GLANCE: Duration = Duration::from_millis(100);
/// How often live traffic is published.
const TICK: Duration = Duration::from_millis(500);

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    /// Days of history.
    pub(crate) days: u32,
    /// Live events a second.
    pub(crate) rate: f64,
}

/// Everything embedded, on made-up history and live traffic, until stopped.
pub(crate) async fn run(mut settings: Settings, show: Show, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    settings.http.addr = Some(settings.http.addr.unwrap_or_else(default_or_free));
    let (data_dir, _temporary) = data_dir(&settings)?;
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    let starting = progress::spinner("starting broker and engine");
    let started = shutdown
        .run_until_cancelled(Stack::start(settings, data_dir, Real::default()))
        .await;
    starting.finish_and_clear();
    let Some(stack) = started.transpose()? else {
        return Ok(());
    };

    let showing = Showing {
        world: World::new(WorldOptions {
            seed: 1,
            orgs: Vec::new(),
            users: USERS,
            days: show.days,
            end: clock::now(),
        }),
        rate: show.rate,
        publisher: Publisher::new(&stack.settings().kafka)?,
        probe: Probe::new(&stack.settings().kafka)?,
        store: Store::new(&stack.settings().clickhouse),
        ready: stack.ready(),
        ready_file: ready_file.map(Path::to_owned),
        shutdown: shutdown.clone(),
    };
    tasks.spawn(showing.run());
    stack.run(tasks, metrics, shutdown).await
}

/// The default address; a free one if somebody else has that already: what is printed names it.
fn default_or_free() -> SocketAddr {
    let wanted = Settings::default().http.addr();
    match TcpListener::bind(wanted) {
        Ok(_free) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}

/// The directory that was asked for, or one that goes with the demo.
fn data_dir(settings: &Settings) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if let Some(dir) = &settings.embedded.data_dir {
        return Ok((dir.clone(), None));
    }
    let temporary = TempDir::with_prefix("rollcall-demo-").context("cannot make a temporary directory")?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

struct Showing {
    world: Arc<World>,
    rate: f64,
    publisher: Publisher,
    probe: Probe,
    store: Store,
    ready: Ready,
    ready_file: Option<PathBuf>,
    shutdown: CancellationToken,
}

impl Showing {
    async fn run(self) -> anyhow::Result<()> {
        let shutdown = self.shutdown.clone();
        match shutdown.run_until_cancelled(self.show()).await {
            Some(ended) => ended,
            None => Ok(()),
        }
    }

    async fn show(&self) -> anyhow::Result<()> {
        // A data directory that is used again has its history already.
        if !self.store.org_exists(&self.world.example().org).await? {
            self.publish_history().await?;
        }
        self.print();
        self.ready.write(self.ready_file.as_deref())?;
        self.publish_live().await
    }

    async fn publish_history(&self) -> anyhow::Result<()> {
        let making = progress::spinner("making up a history");
        let records: Vec<Published> = self.world.history().collect();
        making.finish_and_clear();
        let bar = progress::events("history into rollups", u64::try_from(records.len())?);
        for stride in records.chunks(STRIDE) {
            for record in stride {
                self.publish(record).await?;
            }
            self.publisher.flush(PATIENCE).await?;
            self.wait_for_backlog(BACKLOG, |lag| {
                bar.set_position(self.publisher.acknowledged().saturating_sub(lag));
            })
            .await?;
        }
        self.wait_for_backlog(0, |lag| {
            bar.set_position(self.publisher.acknowledged().saturating_sub(lag));
        })
        .await?;
        bar.finish_and_clear();
        Ok(())
    }

    async fn wait_for_backlog(&self, at_most: u64, mut tell: impl FnMut(u64)) -> anyhow::Result<()> {
        loop {
            let progress = self.probe.progress(PATIENCE).await?;
            let lag = progress.iter().map(consumer::PartitionProgress::lag).sum();
            tell(lag);
            if lag <= at_most {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn publish_live(&self) -> anyhow::Result<()> {
        let mut live = self.world.live(self.rate);
        let mut ticks = tokio::time::interval(TICK);
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
        let headers = [("content-type", Some(b"application/cloudevents+json".as_slice()))];
        let payload = Some(record.json.as_bytes());
        Ok(self
            .publisher
            .publish(Some(record.key.as_bytes()), &headers, payload)
            .await?)
    }

    #[expect(clippy::print_stdout, reason = "where to look is the output of this command")]
    fn print(&self) {
        let example = self.world.example();
        let (start, end) = (example.start, example.end);
        let url = self.ready.api_url.as_deref().unwrap_or_default();
        let key = self.ready.api_key.as_deref().unwrap_or_default();
        let base = format!("{url}/api/ai-analytics/orgs/{}/users/me", example.org);
        let curl =
            |path: String| println!("  curl -H 'Authorization: Api-Token {key}' \\\n    '{base}/{path}'\n");
        println!("\nActive users a day:");
        curl(format!("usage-summary/?start_date={start}&end_date={end}"));
        println!(
            "New and returning users a week, with the mentor {}:",
            example.mentor
        );
        curl(format!(
            "user-cohorts-over-time/?start_date={start}&end_date={end}&aggregation=weekly&mentor_id={}",
            example.mentor
        ));
        println!("The latest conversations:");
        curl(format!(
            "transcripts/?start_date={start}&end_date={end}&page=1&page_size=3"
        ));
        println!("Read the API at {url}/docs/");
        println!(
            "Publish your own events to Kafka at {}, topic {}",
            self.ready.bootstrap_servers.as_deref().unwrap_or_default(),
            self.ready.topic.as_deref().unwrap_or_default()
        );
        println!(
            "Live traffic goes on at {} events a second. Ctrl-C stops it.",
            self.rate
        );
    }
}
