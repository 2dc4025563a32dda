//! The ready file: where to find what a command serves, for scripts and tests.

use std::{fs, io::Write, path::Path};

use anyhow::Context;
use rustix::process::{Pid, test_kill_process};
use serde::Serialize;
use serde_json::{Map, Value};

/// The field of the process that wrote the file.
const PID: &str = "pid";

/// The fields that apply to a command that serves.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ready {
    pub(crate) bootstrap_servers: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) dead_letter_topic: Option<String>,
    /// Of the API; of `ingest`, where its health and metrics are.
    pub(crate) api_url: Option<String>,
    pub(crate) clickhouse_url: Option<String>,
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
        Self {
            clickhouse_url: Some(settings.url.clone()),
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
        let pid = written.get(PID).and_then(|pid| i32::try_from(pid.as_i64()?).ok());
        if pid
            .and_then(Pid::from_raw)
            .is_some_and(|pid| test_kill_process(pid).is_ok())
        {
            return Ok(());
        }
        fs::remove_file(path).with_context(|| format!("--ready-file: cannot remove {}", path.display()))
    }

    /// Writes the file, with the id of this process, in one step: it is never seen half written. Without a path does nothing.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn write(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let mut fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(self)?)?;
        fields.retain(|_, value| !value.is_null());
        fields.insert(PID.to_owned(), std::process::id().into());
        let json = serde_json::to_vec_pretty(&fields)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&json)?;
            file.persist(path)?;
            Ok(())
        };
        write().with_context(|| format!("--ready-file: cannot write {}", path.display()))
    }
}
