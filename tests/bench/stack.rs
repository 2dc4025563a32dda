//! The running parts: Apache Kafka and the engine, and the roles of Rollcall between them. The engine and the roles are of
//! one build of Rollcall; two builds may share a broker.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use consumer::Probe;
use serde::Deserialize;
use tempfile::TempDir;
use testbed::{Kafka, Listener, free_ports};

use crate::{part::Part, sql::Sql};

/// The program that is built with this benchmark.
const ROLLCALL: &str = env!("CARGO_BIN_EXE_rollcall");
/// Where everything is kept: what is fetched stays there, data are removed when the benchmark ends.
const TARGET: &str = env!("CARGO_TARGET_TMPDIR");
/// How long a part may take to start: the first start of all fetches the engine.
const START_TIMEOUT: Duration = Duration::from_secs(300);
/// How long merges are waited for before the next measurement.
const MERGES_TIMEOUT: Duration = Duration::from_secs(120);
/// The API key of `serve`.
pub(crate) const KEY: &str = "bench";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The engine's data directory.
const DATA: &str = "clickhouse";
const JVM: &[&str] = &["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];

/// Apache Kafka, on one node.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) part: Part,
    bootstrap_servers: String,
    _dir: TempDir,
}

/// A broker, and the engine of a build of Rollcall.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) broker: Arc<Broker>,
    pub(crate) engine: Part,
    /// The program of that build.
    rollcall: PathBuf,
    clickhouse: aggregator::Settings,
    sql: Sql,
    dir: TempDir,
}

/// A role of Rollcall that runs.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) part: Part,
    /// Where its HTTP interface is.
    pub(crate) url: String,
}

#[derive(Debug, Deserialize)]
struct Ready {
    api_url: Option<String>,
    clickhouse_url: Option<String>,
    clickhouse_urls: Option<Vec<String>>,
    cluster: Option<String>,
    /// Absent where the engine takes the user `default` without a password.
    clickhouse_user: Option<String>,
    clickhouse_password: Option<String>,
}

impl Broker {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dir = temp_dir()?;
        let node = dir.path().join("kafka");
        let node = tokio::task::spawn_blocking(move || Kafka::new(&node, Path::new(TARGET), JVM)).await?;
        let [address, controller] = free_ports();
        let listener = Listener {
            name: "CLIENTS",
            address,
            advertised: address,
        };
        node.configure(&[listener], controller, "");
        node.format();
        let mut part = Part::start("broker", &mut node.command())?;
        let bootstrap_servers = address.to_string();
        wait_for_broker(&mut part, &bootstrap_servers).await?;
        Ok(Self {
            part,
            bootstrap_servers,
            _dir: dir,
        })
    }
}

impl Stack {
    /// The build that this benchmark is part of, with a broker of its own.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let broker = Arc::new(Broker::start().await?);
        Self::of_build(Path::new(ROLLCALL), broker).await
    }

    /// The same build, or another one, with a running broker.
    pub(crate) async fn of_build(rollcall: &Path, broker: Arc<Broker>) -> anyhow::Result<Self> {
        Self::over(
            rollcall,
            broker,
            &["dev", "clickhouse", "--http-addr", "127.0.0.1:0"],
        )
        .await
    }

    /// This build on a cluster of so many engines, with a running broker.
    pub(crate) async fn on_shards(shards: u8, broker: Arc<Broker>) -> anyhow::Result<Self> {
        let arguments = ["dev", "cluster", "--shards", &shards.to_string()];
        Self::over(Path::new(ROLLCALL), broker, &arguments).await
    }

    /// A build, with what a command of it runs as ClickHouse.
    async fn over(rollcall: &Path, broker: Arc<Broker>, clickhouse: &[&str]) -> anyhow::Result<Self> {
        let dir = temp_dir()?;
        let mut engine = Command::new(rollcall);
        engine
            .args(clickhouse)
            .arg("--data-dir")
            .arg(dir.path().join(DATA));
        let (engine, ready) = start("engine", &mut engine, dir.path()).await?;
        let urls = ready.clickhouse_urls.map(|urls| urls.join(","));
        let mut clickhouse = aggregator::Settings {
            url: urls
                .or(ready.clickhouse_url)
                .context("the engine names no address")?,
            cluster: ready.cluster,
            ..aggregator::Settings::default()
        };
        clickhouse.user = ready.clickhouse_user.unwrap_or(clickhouse.user);
        clickhouse.password = ready.clickhouse_password.unwrap_or(clickhouse.password);
        Ok(Self {
            broker,
            engine,
            rollcall: rollcall.to_owned(),
            sql: Sql::new(&clickhouse),
            clickhouse,
            dir,
        })
    }

    /// Lets the engine's user read topics. The engine reads its users file when it starts.
    pub(crate) async fn allow_kafka(&self) -> anyhow::Result<()> {
        let path = self.dir.path().join(DATA).join("engine/users.xml");
        let users = fs::read_to_string(&path).context("the engine has no users file")?;
        let end = "</grants>\n        </rollcall>";
        let right = "<query>GRANT READ, WRITE ON KAFKA</query><query>GRANT TABLE ENGINE ON Kafka</query>";
        fs::write(&path, users.replace(end, &format!("{right}{end}")))
            .context("cannot write the users file")?;
        self.engine.kill_children()?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match self.sql.run_in("system", "SHOW GRANTS").await {
                Ok(grants) if grants.contains("Kafka") => return Ok(()),
                Ok(grants) if Instant::now() > deadline => bail!("the engine may not read topics: {grants}"),
                Err(error) if Instant::now() > deadline => return Err(error),
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// The settings of a client of Kafka, for a topic and a group.
    pub(crate) fn kafka(&self, topic: &str, group: &str) -> consumer::Settings {
        consumer::Settings {
            bootstrap_servers: self.broker.bootstrap_servers.clone(),
            topic: topic.to_owned(),
            group_id: group.to_owned(),
            ..consumer::Settings::default()
        }
    }

    /// The settings of a client of ClickHouse, for a database.
    pub(crate) fn clickhouse(&self, database: &str) -> aggregator::Settings {
        aggregator::Settings {
            database: database.to_owned(),
            ..self.clickhouse.clone()
        }
    }

    /// Creates the views that fill the rollups from rows inserted into the facts of a database, which `ingest` would do.
    pub(crate) async fn define(&self, database: &str) -> anyhow::Result<()> {
        for definition in aggregator::definitions() {
            self.sql.run_in(database, definition).await?;
        }
        Ok(())
    }

    /// Drops the views of messages that [`Stack::define`] creates, so that `ingest` fills their rollups again.
    pub(crate) async fn drop_message_views(&self, database: &str) -> anyhow::Result<()> {
        for definition in aggregator::definitions() {
            if let Some((create, _)) = definition.split_once(" TO ")
                && definition.contains("\nFROM messages\n")
                && let Some(view) = create.split(' ').next_back()
            {
                self.sql
                    .run_in(database, &format!("DROP VIEW {view} SYNC"))
                    .await?;
            }
        }
        Ok(())
    }

    /// Whether it runs the program that is built with this benchmark.
    pub(crate) fn is_this_build(&self) -> bool {
        self.rollcall == Path::new(ROLLCALL)
    }

    /// The table that rows are inserted into, which sends them to their shards where there are several.
    pub(crate) fn into(&self, table: &str) -> String {
        self.clickhouse.spread_over_shards(table)
    }

    /// Drops a database on every node.
    pub(crate) async fn drop_database(&self, database: &str) -> anyhow::Result<()> {
        for node in self.sql.nodes() {
            node.run(&format!("DROP DATABASE {database} SYNC")).await?;
        }
        Ok(())
    }

    /// The engine's SQL interface, or that of the first of several.
    pub(crate) const fn sql(&self) -> &Sql {
        &self.sql
    }

    /// Makes a database with the schema of the build in it.
    pub(crate) async fn migrate(&self, database: &str) -> anyhow::Result<()> {
        self.run(&["migrate"], database).await
    }

    /// Makes the rollups of a database from its facts, as the build defines them.
    pub(crate) async fn rebuild(&self, database: &str) -> anyhow::Result<()> {
        self.run(&["rebuild", "--all"], database).await
    }

    /// Runs a command of the build on a database to its end.
    async fn run(&self, arguments: &[&str], database: &str) -> anyhow::Result<()> {
        let mut command = self.command(arguments, database);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "{arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// A command of the build, with the settings of Kafka and ClickHouse.
    fn command(&self, arguments: &[&str], database: &str) -> Command {
        let mut command = Command::new(&self.rollcall);
        command
            .args(arguments)
            .env(
                "ROLLCALL__KAFKA__BOOTSTRAP_SERVERS",
                &self.broker.bootstrap_servers,
            )
            .env("ROLLCALL__CLICKHOUSE__URL", &self.clickhouse.url)
            .env("ROLLCALL__CLICKHOUSE__USER", &self.clickhouse.user)
            .env("ROLLCALL__CLICKHOUSE__PASSWORD", &self.clickhouse.password)
            .env("ROLLCALL__CLICKHOUSE__DATABASE", database)
            .stdin(Stdio::null());
        if let Some(cluster) = &self.clickhouse.cluster {
            command.env("ROLLCALL__CLICKHOUSE__CLUSTER", cluster);
        }
        command
    }

    /// Starts `rollcall ingest` with its default settings, from a topic into a database.
    pub(crate) async fn ingest(&self, kafka: &consumer::Settings, database: &str) -> anyhow::Result<Role> {
        let variables = [
            ("ROLLCALL__KAFKA__TOPIC", kafka.topic.as_str()),
            ("ROLLCALL__KAFKA__GROUP_ID", &kafka.group_id),
        ];
        self.role("ingest", database, &variables).await
    }

    /// Starts `rollcall serve` over a database, with [`KEY`] for all organisations.
    pub(crate) async fn serve(&self, database: &str) -> anyhow::Result<Role> {
        let keys = format!("{KEY}=*");
        self.role("serve", database, &[("ROLLCALL__AUTH__KEYS", &keys)])
            .await
    }

    async fn role(
        &self,
        name: &'static str,
        database: &str,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Role> {
        let mut command = self.command(&[name, "--http-addr", "127.0.0.1:0"], database);
        command.envs(variables.iter().copied());
        let (part, ready) = start(name, &mut command, self.dir.path()).await?;
        let url = ready
            .api_url
            .with_context(|| format!("{name} names no address"))?;
        Ok(Role { part, url })
    }

    /// Waits until the engine merges nothing. Returns the time that it spent on processors until then, in seconds.
    pub(crate) async fn wait_for_merges(&self) -> anyhow::Result<f64> {
        let before = self.engine.cpu_seconds()?;
        let deadline = Instant::now() + MERGES_TIMEOUT;
        let mut quiet = 0;
        while quiet < 10 && Instant::now() < deadline {
            let mut merging = false;
            for node in self.sql.nodes() {
                merging |= node.number("system", "SELECT count() FROM merges").await? > 0;
            }
            quiet = if merging { 0 } else { quiet + 1 };
            tokio::time::sleep(5 * POLL_INTERVAL).await;
        }
        Ok(self.engine.cpu_seconds()? - before)
    }
}

impl Role {
    /// How many records `ingest` has settled. Offsets are committed once a second, which is too coarse to measure
    /// by: this counter is raised with each batch.
    pub(crate) async fn settled(&self) -> anyhow::Result<u64> {
        self.metric("rollcall_records_total").await
    }

    /// The sum of a counter over its labels.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let text = reqwest::get(format!("{}/metrics", self.url))
            .await?
            .text()
            .await?;
        let samples = text.lines().filter(|line| line.starts_with(name));
        let counts = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        Ok(counts.sum())
    }
}

fn temp_dir() -> anyhow::Result<TempDir> {
    TempDir::with_prefix_in("bench-", TARGET).context("cannot make a directory")
}

/// Starts a command of Rollcall, and waits until it serves.
async fn start(name: &'static str, command: &mut Command, dir: &Path) -> anyhow::Result<(Part, Ready)> {
    // Several of a name may start at once.
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let ready_file = dir.join(format!("{name}-{number}.json"));
    command
        .arg("--ready-file")
        .arg(&ready_file)
        .env("ROLLCALL__LOG__FILTER", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut part = Part::start(name, command)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Ok(text) = fs::read(&ready_file) {
            return Ok((part, serde_json::from_slice(&text)?));
        }
        part.check()?;
        if Instant::now() > deadline {
            bail!("the {name} did not start within {START_TIMEOUT:?}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn wait_for_broker(broker: &mut Part, bootstrap_servers: &str) -> anyhow::Result<()> {
    let settings = consumer::Settings {
        bootstrap_servers: bootstrap_servers.to_owned(),
        ..consumer::Settings::default()
    };
    let probe = Probe::new(&settings)?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match probe.ping(Duration::from_secs(1)).await {
            Ok(()) | Err(consumer::Error::NoTopic { .. }) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => broker.check()?,
        }
    }
}
