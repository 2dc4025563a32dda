//! The embedded engine, fetched and opened.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use embedded::{ClickHouseServer, Engine, FetchProgress, ensure_engine};
use indicatif::ProgressBar;
use tracing::info;

use crate::{progress, settings::EmbeddedSettings};

/// Serves the embedded engine, with its data in `data_dir`, on `addr`. Fetches the engine when it is not there.
///
/// # Errors
/// Where it cannot be fetched, opened or served; each says what to do.
pub(crate) async fn serve(
    settings: &EmbeddedSettings,
    data_dir: &Path,
    addr: SocketAddr,
) -> anyhow::Result<ClickHouseServer> {
    let library = library(settings).await?;
    let data = data_dir.join("clickhouse");
    let engine = tokio::task::spawn_blocking(move || Engine::open(&library, &data))
        .await?
        .context("the embedded engine does not start")?;
    let server = ClickHouseServer::start(engine, addr)
        .await
        .with_context(|| format!("cannot serve ClickHouse's HTTP interface on {addr}"))?;
    info!(url = server.url(), "the embedded ClickHouse engine runs");
    Ok(server)
}

async fn library(settings: &EmbeddedSettings) -> anyhow::Result<PathBuf> {
    if let Some(library) = &settings.engine {
        return Ok(library.clone());
    }
    let cache = settings.cache_dir()?;
    let fetch = move || {
        let mut bar: Option<ProgressBar> = None;
        let mut unpacking = false;
        let library = ensure_engine(&cache, &mut |step| match step {
            FetchProgress::Downloading => {
                info!("fetching the ClickHouse engine, once: about 180 MB");
                bar = Some(progress::spinner("fetching the ClickHouse engine (180 MB, once)"));
            }
            FetchProgress::Unpacking { done, total } => {
                if !unpacking {
                    unpacking = true;
                    bar = Some(progress::bytes("unpacking the engine", total));
                }
                if let Some(bar) = &bar {
                    bar.set_position(done);
                }
            }
        });
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        library
    };
    Ok(tokio::task::spawn_blocking(fetch).await??)
}
