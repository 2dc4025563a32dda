//! `rollcall serve`

use std::path::Path;

use aggregator::Store;
use consumer::Probe;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::{
    api::{self, Bound},
    ready::Ready,
    settings::Settings,
    shutdown,
    stack::run_to_end,
    telemetry,
};

/// The API over ClickHouse, until stopped.
pub(crate) async fn run(settings: Settings, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let http = Bound::new(settings.http.addr()).await?;
    let store = Store::new(&settings.clickhouse);
    let checks = api::checks(&store, Probe::new(&settings.kafka)?);
    if settings.auth.keys.is_empty() {
        warn!("auth.keys is empty: every request will be answered with 401");
    }
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    tasks.spawn(telemetry::sum_up(metrics.clone(), shutdown.clone()));
    let router = query::router(settings.query(), store, checks, move || metrics.render());
    let ready = Ready {
        api_url: Some(http.url()),
        clickhouse_url: Some(settings.clickhouse.url.clone()),
        database: Some(settings.clickhouse.database.clone()),
        ..Ready::default()
    };
    info!(api = ready.api_url, clickhouse = ready.clickhouse_url, "serving");
    ready.write(ready_file)?;
    tasks.spawn(http.serve(router, shutdown.clone()));
    run_to_end(tasks, &shutdown).await
}
