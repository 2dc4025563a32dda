//! What every test of the system needs: a running `rollcall`, and how to publish to it and ask it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use consumer::{PartitionProgress, Probe, Publisher};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::records::Record;

/// The program under test.
pub(crate) const ROLLCALL: &str = env!("CARGO_BIN_EXE_rollcall");

/// How long anything may take before a test gives up. The first start of all may fetch the engine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The ready file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    pub(crate) bootstrap_servers: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) dead_letter_topic: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) api_url: Option<String>,
    pub(crate) clickhouse_url: Option<String>,
    pub(crate) clickhouse_urls: Option<Vec<String>>,
    pub(crate) clickhouse_pids: Option<Vec<u32>>,
    pub(crate) clickhouse_native: Option<String>,
    pub(crate) clickhouse_user: Option<String>,
    pub(crate) clickhouse_password: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) pid: u32,
}

/// A `rollcall` that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    running: Running,
    http: reqwest::Client,
    pub(crate) ready: Ready,
}

/// A child process that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Process {
    /// Starts `rollcall` with the arguments and with variables of the environment, and waits until it is ready.
    /// The ready file goes to `dir`.
    pub(crate) async fn start(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_logging(dir, args, variables, Stdio::inherit()).await
    }

    /// As [`Process::start`], with its log elsewhere.
    pub(crate) async fn start_logging(
        dir: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        Self::start_by(Command::new(ROLLCALL), dir, args, variables, log).await
    }

    /// As [`Process::start_logging`], by a command that becomes `rollcall`.
    pub(crate) async fn start_by(
        mut command: Command,
        dir: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
        log: Stdio,
    ) -> Self {
        let ready_file = dir.join("ready.json");
        let _absent = std::fs::remove_file(&ready_file);
        let child = command
            .args(args)
            .arg("--ready-file")
            .arg(&ready_file)
            .env("ROLLCALL__LOG__FILTER", "warn")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut running = Running(child);
        let ready = until(&format!("rollcall {args:?} is ready"), || {
            let ended = running.0.try_wait().unwrap();
            assert!(ended.is_none(), "rollcall {args:?} ended with {ended:?}");
            let text = std::fs::read(&ready_file).ok();
            std::future::ready(text.map(|text| serde_json::from_slice(&text).unwrap()))
        })
        .await;
        Self {
            running,
            http: reqwest::Client::new(),
            ready,
        }
    }

    /// Starts `rollcall up` on the data directory `data` in `dir`, on free ports.
    pub(crate) async fn up(dir: &Path) -> Self {
        Self::up_with(dir, &[]).await
    }

    /// As [`Process::up`], with variables of the environment.
    pub(crate) async fn up_with(dir: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start(dir, &on_free_port(&["up"], &dir.join("data")), variables).await
    }

    /// The id of the process, from the system.
    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// Sends a signal, such as `STOP` or `CONT`.
    pub(crate) fn send(&self, name: &str) {
        self.running.send(name);
    }

    /// The id of the process that its embedded engine runs in.
    pub(crate) fn engine_pid(&self) -> u32 {
        self.try_engine_pid().unwrap()
    }

    /// As [`Process::engine_pid`]; none while there is no such process.
    pub(crate) fn try_engine_pid(&self) -> Option<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        threads.flatten().find_map(|thread| {
            let children = std::fs::read_to_string(thread.path().join("children")).ok()?;
            children.split_whitespace().next()?.parse().ok()
        })
    }

    /// The variables by which a role logs in to its embedded engine.
    pub(crate) fn clickhouse_login(&self) -> [(&'static str, &str); 2] {
        let ready = &self.ready;
        [
            (
                "ROLLCALL__CLICKHOUSE__USER",
                ready.clickhouse_user.as_deref().unwrap(),
            ),
            (
                "ROLLCALL__CLICKHOUSE__PASSWORD",
                ready.clickhouse_password.as_deref().unwrap(),
            ),
        ]
    }

    /// Sends a signal to its embedded engine.
    pub(crate) fn send_engine(&self, name: &str) {
        send(self.engine_pid(), name);
    }

    /// Asks its embedded engine for what a statement returns, as its user.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        let ready = &self.ready;
        let request = self
            .http
            .post(ready.clickhouse_url.as_deref().unwrap())
            .basic_auth(
                ready.clickhouse_user.as_deref().unwrap(),
                ready.clickhouse_password.as_deref(),
            )
            .body(statement.to_owned());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{statement}: {text}");
        text
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        self.running.end().await
    }

    /// Sends a signal, such as `TERM` or `KILL`, and waits for the end.
    pub(crate) async fn signal(mut self, name: &str) -> ExitStatus {
        self.running.signal(name).await
    }

    /// The settings of a client of its Kafka.
    pub(crate) fn kafka(&self) -> consumer::Settings {
        let default = consumer::Settings::default();
        consumer::Settings {
            bootstrap_servers: self.ready.bootstrap_servers.clone().unwrap(),
            topic: self.ready.topic.clone().unwrap(),
            dead_letter_topic: self.ready.dead_letter_topic.clone().unwrap(),
            group_id: self.ready.group_id.clone().unwrap_or(default.group_id),
            ..consumer::Settings::default()
        }
    }

    /// Publishes values as structured CloudEvents, and waits until the broker has acknowledged all of them.
    pub(crate) async fn publish(&self, values: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.publish_records(values.into_iter().map(Record::structured))
            .await;
    }

    /// Publishes records, and waits until the broker has acknowledged all of them.
    pub(crate) async fn publish_records(&self, records: impl IntoIterator<Item = Record>) {
        let publisher = Publisher::new(&self.kafka()).unwrap();
        for record in records {
            record.publish(&publisher).await;
        }
        publisher.flush(DEADLINE).await.unwrap();
    }

    /// Waits until everything that was published is settled.
    pub(crate) async fn settled(&self) {
        let probe = Probe::new(&self.kafka()).unwrap();
        until("the lag is zero", async || {
            let progress = probe.progress(DEADLINE).await.ok()?;
            (progress.iter().map(PartitionProgress::lag).sum::<u64>() == 0).then_some(())
        })
        .await;
    }

    /// The URL of an endpoint of an organisation: `usage-summary/?start_date=…`.
    pub(crate) fn url(&self, org: &str, endpoint: &str) -> String {
        format!(
            "{}/api/ai-analytics/orgs/{org}/users/me/{endpoint}",
            self.ready.api_url.as_deref().unwrap()
        )
    }

    /// Asks an endpoint with the key of the process: the status and the body.
    pub(crate) async fn get(&self, org: &str, endpoint: &str) -> (u16, Value) {
        let answer = self.fetch(&self.url(org, endpoint)).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Asks a URL with the key of the process.
    pub(crate) async fn fetch(&self, url: &str) -> reqwest::Response {
        let key = self.ready.api_key.as_deref().unwrap();
        let request = self
            .http
            .get(url)
            .header("Authorization", format!("Api-Token {key}"));
        request.send().await.unwrap()
    }

    /// The sum of the samples of a counter whose name and labels begin so; 0 if there is none.
    pub(crate) async fn metric(&self, start: &str) -> u64 {
        let url = format!("{}/metrics", self.ready.api_url.as_deref().unwrap());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let samples = text.lines().filter(|line| line.starts_with(start));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(_, value)| value.parse::<u64>().unwrap())
            .sum()
    }

    /// As [`Process::get`], where the answer must be a success.
    pub(crate) async fn ask(&self, org: &str, endpoint: &str) -> Value {
        let (status, body) = self.get(org, endpoint).await;
        assert_eq!(status, 200, "{endpoint}: {body}");
        body
    }
}

impl Running {
    /// Sends a signal, such as `STOP` or `CONT`.
    pub(crate) fn send(&self, name: &str) {
        send(self.0.id(), name);
    }

    /// Sends a signal, such as `TERM` or `KILL`, and waits for the end.
    pub(crate) async fn signal(&mut self, name: &str) -> ExitStatus {
        self.send(name);
        self.end().await
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        until("the process ends", || {
            std::future::ready(self.0.try_wait().unwrap())
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, name: &str) {
    let signal = match name {
        "CONT" => Signal::CONT,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        other => panic!("{other}"),
    };
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The peak of a process's resident memory, in bytes, as in `proc(5)`.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    try_peak_memory(pid).unwrap()
}

/// The same; none once the process has ended.
pub(crate) fn try_peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    Some(kib << 10)
}

/// The arguments of a command of `rollcall`, with those for a free port and a data directory.
pub(crate) fn on_free_port<'a>(command: &[&'a str], data: &'a Path) -> Vec<&'a str> {
    let options = ["--http-addr", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    [command, &options].concat()
}

/// Runs a command to its end, which must be a success; what it printed.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A directory of this name in another one.
pub(crate) fn subdirectory(dir: &Path, name: &str) -> PathBuf {
    let dir = dir.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Asks repeatedly, until there is something or the deadline has passed.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    until_within(DEADLINE, what, ask).await
}

/// As [`until`], with a deadline of its own.
pub(crate) async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The embedded engine and the embedded broker as processes of their own, and the roles between them.
#[derive(Debug)]
pub(crate) struct Parts {
    dir: PathBuf,
    /// Of ClickHouse: its nodes.
    urls: String,
    pub(crate) clickhouse: Process,
    pub(crate) kafka: Process,
}

impl Parts {
    /// The API key of [`Parts::serve`].
    const KEY: &str = "k3y";

    /// Starts both in `dir`, and makes the schema.
    pub(crate) async fn start(dir: &Path) -> Self {
        let parts = Self::bare(dir).await;
        succeeds(&mut parts.command(&["migrate"]));
        parts
    }

    /// Starts both in `dir`.
    pub(crate) async fn bare(dir: &Path) -> Self {
        let engine = subdirectory(dir, "clickhouse");
        let data = engine.join("data");
        let clickhouse = on_free_port(&["dev", "clickhouse"], &data);
        Self::around(dir, Process::start(&engine, &clickhouse, &[]).await).await
    }

    /// Starts a cluster of three engines instead, and makes the schema.
    pub(crate) async fn on_cluster(dir: &Path) -> Self {
        let engines = subdirectory(dir, "clickhouse");
        let data = engines.join("data");
        let args = [
            "dev",
            "cluster",
            "--shards",
            "3",
            "--data-dir",
            data.to_str().unwrap(),
        ];
        let parts = Self::around(dir, Process::start(&engines, &args, &[]).await).await;
        succeeds(&mut parts.command(&["migrate"]));
        parts
    }

    async fn around(dir: &Path, clickhouse: Process) -> Self {
        let broker = subdirectory(dir, "kafka");
        let ready = &clickhouse.ready;
        let several = ready.clickhouse_urls.as_ref().map(|urls| urls.join(","));
        Self {
            dir: dir.to_owned(),
            urls: several.or(ready.clickhouse_url.clone()).unwrap(),
            clickhouse,
            kafka: Process::start(&broker, &["dev", "kafka"], &[]).await,
        }
    }

    /// A command of `rollcall` on both.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(ROLLCALL);
        command.args(args).envs(self.variables()).envs(self.cluster());
        command
    }

    /// The variables that lead to both.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 4] {
        let servers = self.kafka.ready.bootstrap_servers.as_deref().unwrap();
        let [user, password] = self.clickhouse.clickhouse_login();
        [
            ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers),
            ("ROLLCALL__CLICKHOUSE__URL", self.urls.as_str()),
            user,
            password,
        ]
    }

    /// The variable that names the cluster.
    pub(crate) fn cluster(&self) -> Option<(&'static str, &str)> {
        let cluster = self.clickhouse.ready.cluster.as_deref()?;
        Some(("ROLLCALL__CLICKHOUSE__CLUSTER", cluster))
    }

    /// Starts `ingest`, with further variables of the environment.
    pub(crate) async fn ingest(&self, variables: &[(&str, &str)]) -> Process {
        self.role("ingest", variables).await
    }

    /// Starts `serve`, with a key for all orgs and with further variables of the environment.
    pub(crate) async fn serve(&self, variables: &[(&str, &str)]) -> Process {
        let keys = format!("{}=*", Self::KEY);
        let variables = [&[("ROLLCALL__AUTH__KEYS", keys.as_str())], variables].concat();
        let mut serve = self.role("serve", &variables).await;
        serve.ready.api_key = Some(Self::KEY.to_owned());
        serve
    }

    async fn role(&self, role: &str, variables: &[(&str, &str)]) -> Process {
        // There may be several of a role.
        let mut names =
            std::iter::once(role.to_owned()).chain((2..).map(|number| format!("{role}-{number}")));
        let name = names.find(|name| !self.dir.join(name).exists()).unwrap();
        let dir = subdirectory(&self.dir, &name);
        let variables = [&self.variables()[..], variables, self.cluster().as_slice()].concat();
        Process::start(&dir, &[role, "--http-addr", "127.0.0.1:0"], &variables).await
    }
}
