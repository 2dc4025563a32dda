//! `rollcall ingest`

use std::path::Path;

use aggregator::Store;
use consumer::Probe;
use tokio::task::JoinSet;
use tracing::info;

use crate::{
    api::{self, Bound},
    ingestion,
    ready::Ready,
    settings::Settings,
    shutdown,
    stack::run_to_end,
    telemetry,
};

/// From Kafka into ClickHouse, until stopped.
pub(crate) async fn run(settings: Settings, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let http = Bound::new(settings.http.addr()).await?;
    let store = Store::new(&settings.clickhouse);
    let mut tasks = JoinSet::new();
    let shutdown = shutdown::on_signal(&mut tasks)?;
    tasks.spawn(telemetry::sum_up(metrics.clone(), shutdown.clone()));
    let router = query::operator_router(api::checks(&store, Probe::new(&settings.kafka)?), move || {
        metrics.render()
    });
    let ready = Ready {
        bootstrap_servers: Some(settings.kafka.bootstrap_servers.clone()),
        topic: Some(settings.kafka.topic.clone()),
        dead_letter_topic: Some(settings.kafka.dead_letter_topic.clone()),
        api_url: Some(http.url()),
        clickhouse_url: Some(settings.clickhouse.url.clone()),
        database: Some(settings.clickhouse.database.clone()),
        ..Ready::default()
    };
    info!(
        health = ready.api_url,
        kafka = ready.bootstrap_servers,
        clickhouse = ready.clickhouse_url,
        "ingest"
    );
    ready.write(ready_file)?;
    tasks.spawn(http.serve(router, shutdown.clone()));
    let token = shutdown.clone();
    tasks.spawn(async move { ingestion::run(&settings.kafka, store, token).await });
    run_to_end(tasks, &shutdown).await
}
