//! `rollcall up`

use std::path::Path;

use tokio::task::JoinSet;
use tracing::info;

use crate::{
    settings::Settings,
    shutdown,
    stack::{Real, Stack},
    telemetry,
};

/// Everything in one process, until stopped.
pub(crate) async fn run(settings: Settings, real: Real, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let data_dir = settings.embedded.data_dir()?;
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    let started = shutdown
        .run_until_cancelled(Stack::start(settings, data_dir.clone(), real))
        .await;
    let Some(stack) = started.transpose()? else {
        return Ok(());
    };
    let ready = stack.ready();
    info!(
        api = ready.api_url,
        kafka = ready.bootstrap_servers,
        clickhouse = ready.clickhouse_url,
        data = %data_dir.display(),
        "up; the API key is in the file api-key of the data directory"
    );
    ready.write(ready_file)?;
    stack.run(tasks, metrics, shutdown).await
}
