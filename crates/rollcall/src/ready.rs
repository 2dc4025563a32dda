//! The ready file: where to find what a command serves, for scripts and tests; and a file of the same kind in the data
//! directory, for other commands.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The field of the process that wrote the file.
const PID: &str = "pid";
/// The name of the file in the data directory.
const RUNNING: &str = "running.json";

/// The fields that apply to a command that serves.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ready {
    pub(crate) bootstrap_servers: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) dead_letter_topic: Option<String>,
    /// The consumer group of what ingests.
    pub(crate) group_id: Option<String>,
    /// Of the API; of `ingest`, where its health and metrics are.
    pub(crate) api_url: Option<String>,
    pub(crate) clickhouse_url: Option<String>,
    /// Where there are several nodes, all of them, and the processes of those that are embedded.
    pub(crate) clickhouse_urls: Option<Vec<String>>,
    pub(crate) clickhouse_pids: Option<Vec<u32>>,
    /// The cluster of which these are the shards.
    pub(crate) cluster: Option<String>,
    /// The native interface of an embedded engine, as `host:port`, and who may log in.
    pub(crate) clickhouse_native: Option<String>,
    pub(crate) clickhouse_user: Option<String>,
    pub(crate) clickhouse_password: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) api_key: Option<String>,
}

impl Ready {
    /// Of a command that serves HTTP at this URL.
    pub(crate) fn at(api_url: String) -> Self {
        Self {
            api_url: Some(api_url),
            ..Self::default()
        }
    }

    /// With the broker and the topics.
    pub(crate) fn with_kafka(self, settings: &consumer::Settings) -> Self {
        Self {
            bootstrap_servers: Some(settings.bootstrap_servers.clone()),
            topic: Some(settings.topic.clone()),
            dead_letter_topic: Some(settings.dead_letter_topic.clone()),
            ..self
        }
    }

    /// With ClickHouse and the database.
    pub(crate) fn with_clickhouse(self, settings: &aggregator::Settings) -> Self {
        let urls: Vec<_> = settings.urls().map(str::to_owned).collect();
        Self {
            clickhouse_url: urls.first().cloned(),
            clickhouse_urls: (urls.len() > 1).then_some(urls),
            cluster: settings.cluster.clone(),
            database: Some(settings.database.clone()),
            ..self
        }
    }

    /// Removes the file of a process that has ended: whoever waits for this one would take it for its own.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub(crate) fn remove_stale(path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let Ok(json) = fs::read(path) else { return Ok(()) };
        let written: Value = serde_json::from_slice(&json).unwrap_or_default();
        if is_running(&written) {
            return Ok(());
        }
        fs::remove_file(path).with_context(|| format!("--ready-file: cannot remove {}", path.display()))
    }

    /// Where the parts are that run on a data directory.
    ///
    /// # Errors
    /// Where nothing runs on it, or no broker does and one is needed.
    pub(crate) fn of_running(data_dir: &Path, needs_kafka: bool) -> anyhow::Result<Self> {
        let path = data_dir.join(RUNNING);
        let json = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.with_context(|| format!("--data-dir: cannot read {}", path.display()))?,
        };
        let written: Value = serde_json::from_slice(&json).unwrap_or_default();
        ensure!(
            is_running(&written),
            "--data-dir: no `up`, `demo`, `dev clickhouse` or `dev cluster` serves the data in {}",
            data_dir.display()
        );
        let ready: Self = serde_json::from_value(written)
            .with_context(|| format!("--data-dir: cannot read {}", path.display()))?;
        ensure!(
            ready.bootstrap_servers.is_some() || !needs_kafka,
            "--data-dir: what serves the data in {} has no Kafka",
            data_dir.display()
        );
        Ok(ready)
    }

    /// Writes the file of the data directory. It is removed with the result.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn announce(&self, data_dir: &Path) -> anyhow::Result<Announcement> {
        let path = data_dir.join(RUNNING);
        self.write_to(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Announcement(path))
    }

    /// Writes the ready file. Without a path does nothing.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn write(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        self.write_to(path)
            .with_context(|| format!("--ready-file: cannot write {}", path.display()))
    }

    /// Writes a file, with the id of this process, in one step: it is never seen half written. Its owner alone can read it.
    fn write_to(&self, path: &Path) -> anyhow::Result<()> {
        let mut fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(self)?)?;
        fields.retain(|_, value| !value.is_null());
        fields.insert(PID.to_owned(), std::process::id().into());
        let json = serde_json::to_vec_pretty(&fields)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&json)?;
        file.persist(path)?;
        Ok(())
    }
}

/// The file in the data directory, which is removed with this.
#[derive(Debug)]
pub(crate) struct Announcement(PathBuf);

impl Drop for Announcement {
    fn drop(&mut self) {
        // What is left names a process that has ended.
        drop(fs::remove_file(&self.0));
    }
}

/// Whether the process that wrote a file still runs.
fn is_running(written: &Value) -> bool {
    let pid = written.get(PID).and_then(|pid| i32::try_from(pid.as_i64()?).ok());
    pid.and_then(Pid::from_raw)
        .is_some_and(|pid| test_kill_process(pid).is_ok())
}
