//! The embedded engine, fetched and started.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use embedded::{Cluster, ClusterOptions, Engine, EngineOptions, FetchProgress, ensure_engine};
use indicatif::ProgressBar;
use tokio::sync::watch;
use tracing::info;

use crate::{progress, ready::Ready, secret, settings::EmbeddedSettings};

/// Counts how often the embedded engine was started again.
const RESTARTS: &str = "rollcall_engine_restarts_total";

/// The embedded engine, and the password of its user.
#[derive(Debug)]
pub(crate) struct EmbeddedEngine {
    pub(crate) engine: Engine,
    pub(crate) password: String,
}

impl EmbeddedEngine {
    /// Starts the engine, with its data in `data_dir`, on `addr`. Fetches it when it is not there.
    ///
    /// # Errors
    /// Where it cannot be fetched or started; each says what to do.
    pub(crate) async fn start(
        settings: &EmbeddedSettings,
        data_dir: &Path,
        addr: SocketAddr,
    ) -> anyhow::Result<Self> {
        let library = library(settings).await?;
        let password = secret::in_dir(data_dir, secret::CLICKHOUSE_PASSWORD)?;
        metrics::describe_counter!(
            RESTARTS,
            "Times that the embedded ClickHouse engine was started again"
        );
        metrics::counter!(RESTARTS).increment(0);
        let options = EngineOptions {
            program: program(),
            library,
            data: data_dir.join("engine"),
            http: addr,
            member: None,
            password: password.clone(),
            on_crash: || metrics::counter!(RESTARTS).increment(1),
        };
        let engine = Engine::start(options)
            .await
            .context("the embedded engine does not start")?;
        info!(
            url = engine.url(),
            native = engine.native(),
            "the embedded ClickHouse engine runs"
        );
        Ok(Self { engine, password })
    }

    /// Where it is and who may log in.
    pub(crate) fn ready(&self) -> Ready {
        Ready {
            clickhouse_url: Some(self.engine.url()),
            clickhouse_native: Some(self.engine.native()),
            clickhouse_user: Some(Engine::USER.to_owned()),
            clickhouse_password: Some(self.password.clone()),
            ..Ready::default()
        }
    }
}

/// Embedded engines as one cluster, and the password of their user.
#[derive(Debug)]
pub(crate) struct EmbeddedCluster {
    pub(crate) cluster: Cluster,
    password: String,
}

impl EmbeddedCluster {
    /// Starts so many shards, with their data in `data_dir`. Fetches the engine when it is not there.
    ///
    /// # Errors
    /// Where it cannot be fetched or started; each says what to do.
    pub(crate) async fn start(
        settings: &EmbeddedSettings,
        data_dir: &Path,
        shards: u8,
    ) -> anyhow::Result<Self> {
        let password = secret::in_dir(data_dir, secret::CLICKHOUSE_PASSWORD)?;
        let options = ClusterOptions {
            program: program(),
            library: library(settings).await?,
            data: data_dir.join("cluster"),
            shards: shards.into(),
            password: password.clone(),
            on_crash: || (),
        };
        let cluster = Cluster::start(&options)
            .await
            .context("the embedded cluster does not start")?;
        info!(shards, cluster = Cluster::NAME, "the embedded cluster runs");
        Ok(Self { cluster, password })
    }

    /// The process of each engine, as it changes.
    pub(crate) fn pids(&self) -> Vec<watch::Receiver<u32>> {
        self.cluster.engines().iter().map(Engine::pid).collect()
    }

    /// Where it is and who may log in.
    pub(crate) fn ready(&self) -> Ready {
        let urls: Vec<_> = self.cluster.engines().iter().map(Engine::url).collect();
        Ready {
            clickhouse_url: urls.first().cloned(),
            clickhouse_urls: Some(urls),
            clickhouse_pids: Some(self.pids().iter().map(|pid| *pid.borrow()).collect()),
            cluster: Some(Cluster::NAME.to_owned()),
            clickhouse_user: Some(Engine::USER.to_owned()),
            clickhouse_password: Some(self.password.clone()),
            ..Ready::default()
        }
    }
}

/// This very program, even if another one was put at its path since.
fn program() -> (PathBuf, Vec<OsString>) {
    ("/proc/self/exe".into(), vec!["engine".into()])
}

async fn library(settings: &EmbeddedSettings) -> anyhow::Result<PathBuf> {
    if let Some(library) = &settings.engine {
        return Ok(library.clone());
    }
    let cache = settings.cache_dir()?;
    let fetch = move || {
        let mut bar = ProgressBar::hidden();
        let library = ensure_engine(&cache, &mut |step| match step {
            FetchProgress::Downloading => {
                info!("fetching the ClickHouse engine, once: about 180 MB");
                bar = progress::spinner("fetching the ClickHouse engine (180 MB, once)");
            }
            FetchProgress::Unpacking { done, total } => {
                if bar.length().is_none() {
                    bar = progress::bytes("unpacking the engine", total);
                }
                bar.set_position(done);
            }
        });
        bar.finish_and_clear();
        library
    };
    Ok(tokio::task::spawn_blocking(fetch).await??)
}
