//! The ready file: where to find what a command serves, for scripts and tests.

use std::{io::Write, path::Path};

use anyhow::Context;
use serde::Serialize;

/// What applies of a command that serves.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ready {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bootstrap_servers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letter_topic: Option<String>,
    /// Of the API; of `ingest`, where its health and metrics are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clickhouse_url: Option<String>,
    /// The native interface of an embedded engine, as `host:port`, and who may log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clickhouse_native: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clickhouse_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clickhouse_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
}

#[derive(Serialize)]
struct WithPid<'a> {
    #[serde(flatten)]
    ready: &'a Ready,
    pid: u32,
}

impl Ready {
    /// Writes the file in one step: whoever sees it sees all of it. Without a path does nothing.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn write(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let json = serde_json::to_vec_pretty(&WithPid {
            ready: self,
            pid: std::process::id(),
        })?;
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
