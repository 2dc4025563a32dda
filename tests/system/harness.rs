//! What every test of the system needs: a running `rollcall`, and ways in and out of it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use consumer::{PartitionProgress, Probe, Publisher};
use serde::Deserialize;
use serde_json::Value;

/// The program under test.
pub(crate) const ROLLCALL: &str = env!("CARGO_BIN_EXE_rollcall");

/// How long anything may take before a test gives up. The first start of all may fetch the engine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

const GLANCE: Duration = Duration::from_millis(20);

/// What the ready file says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ready {
    pub(crate) bootstrap_servers: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) dead_letter_topic: Option<String>,
    pub(crate) api_url: Option<String>,
    pub(crate) clickhouse_url: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) pid: u32,
}

/// A `rollcall` that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) ready: Ready,
}

impl Process {
    /// Starts `rollcall` with the arguments and with variables of the environment, and waits until it is ready.
    /// The ready file goes to `dir`.
    pub(crate) async fn start(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let ready_file = dir.join("ready.json");
        let _absent = std::fs::remove_file(&ready_file);
        let mut child = Command::new(ROLLCALL)
            .args(args)
            .arg("--ready-file")
            .arg(&ready_file)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let ready = until(&format!("rollcall {args:?} is ready"), || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "rollcall {args:?} ended with {ended:?}");
            let text = std::fs::read(&ready_file).ok();
            std::future::ready(text.map(|text| serde_json::from_slice(&text).unwrap()))
        })
        .await;
        Self { child, ready }
    }

    /// Starts `rollcall up` on the data directory `data` in `dir`, on free ports.
    pub(crate) async fn up(dir: &Path) -> Self {
        let data = dir.join("data");
        let data = data.to_str().unwrap();
        Self::start(
            dir,
            &["up", "--http-addr", "127.0.0.1:0", "--data-dir", data],
            &[],
        )
        .await
    }

    /// Sends a signal, such as `TERM` or `KILL`, and waits for the end.
    pub(crate) async fn signal(mut self, name: &str) -> ExitStatus {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        until("the process ends", || {
            std::future::ready(self.child.try_wait().unwrap())
        })
        .await
    }

    /// The settings of a client of its Kafka.
    pub(crate) fn kafka(&self) -> consumer::Settings {
        consumer::Settings {
            bootstrap_servers: self.ready.bootstrap_servers.clone().unwrap(),
            topic: self.ready.topic.clone().unwrap(),
            dead_letter_topic: self.ready.dead_letter_topic.clone().unwrap(),
            ..consumer::Settings::default()
        }
    }

    /// Publishes values as structured CloudEvents, and waits until the broker has acknowledged all of them.
    pub(crate) async fn publish(&self, values: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let publisher = Publisher::new(&self.kafka()).unwrap();
        let headers = [("content-type", Some(b"application/cloudevents+json".as_slice()))];
        for value in values {
            publisher
                .publish(None, &headers, Some(value.as_ref()))
                .await
                .unwrap();
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
        let key = self.ready.api_key.as_deref().unwrap();
        let answer = reqwest::Client::new()
            .get(self.url(org, endpoint))
            .header("Authorization", format!("Api-Token {key}"))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// As [`Process::get`], where the answer must be a success.
    pub(crate) async fn ask(&self, org: &str, endpoint: &str) -> Value {
        let (status, body) = self.get(org, endpoint).await;
        assert_eq!(status, 200, "{endpoint}: {body}");
        body
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Asks again and again, until there is something or the deadline is over.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(GLANCE).await;
    }
}
