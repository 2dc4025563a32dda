//! `rollcall bench`: the embedded stack, each part in a process of its own so that each can be measured.

mod ingest;
mod part;
mod queries;

use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

use crate::settings::Settings;
use part::{Part, run_once};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Events to ingest.
    pub(crate) events: u64,
    /// Active users a day that the endpoints are asked about.
    pub(crate) users: u32,
}

/// Starts broker, engine, ingestion and API, measures, and prints.
#[expect(clippy::print_stdout, reason = "the figures are the output of this command")]
pub(crate) async fn run(settings: &Settings, options: Options) -> anyhow::Result<()> {
    let (dir, _temporary) = if let Some(dir) = &settings.embedded.data_dir {
        (dir.clone(), None)
    } else {
        let temporary = TempDir::with_prefix("rollcall-bench-").context("cannot make a directory")?;
        (temporary.path().to_owned(), Some(temporary))
    };
    let cache = settings.embedded.cache_dir()?;
    let stack = Stack::start(&dir, &cache).await?;

    let ingest = ingest::measure(&stack, options.events).await?;
    println!("machine: {}", machine());
    print!("{ingest}");
    let queries = queries::measure(&stack, options.users).await?;
    print!("{queries}");
    Ok(())
}

/// The parts that run throughout.
struct Stack {
    engine: Part,
    broker: Part,
    dir: std::path::PathBuf,
    variables: Vec<(String, String)>,
}

impl Stack {
    async fn start(dir: &Path, cache: &Path) -> anyhow::Result<Self> {
        let cache = (
            "ROLLCALL__EMBEDDED__CACHE_DIR".to_owned(),
            cache.to_string_lossy().into_owned(),
        );
        // The embedded broker keeps some 5 MB of a partition: these hold a million events and more.
        let mut variables = vec![
            cache,
            ("ROLLCALL__KAFKA__PARTITIONS".to_owned(), "256".to_owned()),
        ];
        let data = dir.join("data").to_string_lossy().into_owned();
        let engine = [
            "dev",
            "clickhouse",
            "--http-addr",
            "127.0.0.1:0",
            "--data-dir",
            &data,
        ];
        let engine = Part::start("engine", &engine, &variables, dir).await?;
        let broker = Part::start("broker", &["dev", "kafka"], &variables, dir).await?;
        for (name, value) in [
            ("ROLLCALL__CLICKHOUSE__URL", &engine.ready.clickhouse_url),
            (
                "ROLLCALL__KAFKA__BOOTSTRAP_SERVERS",
                &broker.ready.bootstrap_servers,
            ),
        ] {
            variables.push((
                name.to_owned(),
                value.clone().context("a part does not tell its address")?,
            ));
        }
        run_once(&["migrate"], &variables).await?;
        Ok(Self {
            engine,
            broker,
            dir: dir.to_owned(),
            variables,
        })
    }

    /// Kafka's settings, with the embedded broker in them.
    fn kafka(&self) -> consumer::Settings {
        consumer::Settings {
            bootstrap_servers: self.broker.ready.bootstrap_servers.clone().unwrap_or_default(),
            ..consumer::Settings::default()
        }
    }

    /// ClickHouse's settings, with the embedded engine in them.
    fn clickhouse(&self) -> aggregator::Settings {
        aggregator::Settings {
            url: self.engine.ready.clickhouse_url.clone().unwrap_or_default(),
            ..aggregator::Settings::default()
        }
    }
}

/// The machine that the figures are of.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{cpus} x {}", model.map_or("unknown CPU", |(_, name)| name))
}
