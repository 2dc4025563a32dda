//! `rollcall ingest` and `rollcall serve`

use std::path::Path;

use aggregator::{Store, migrate::Access};
use tracing::info;

use crate::{
    api::{self, Bound},
    ingestion::{self, InsertProblem},
    keys::KeyReader,
    ready::Ready,
    settings::Settings,
    shutdown::Tasks,
    telemetry,
};

/// From Kafka into ClickHouse, until stopped.
pub(crate) async fn ingest(settings: Settings, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let mut tasks = Tasks::new()?;
    let metrics = telemetry::start_metrics(&mut tasks)?;
    let http = Bound::new(settings.http.ingest_addr()).await?;
    let store = Store::new(&settings.clickhouse);
    let problem = InsertProblem::default();
    let checks = vec![
        api::clickhouse_check(&store, Access::Write),
        problem.check(),
        api::kafka_check(&settings.kafka, &store)?,
    ];
    let router = query::operator_router(checks, move || metrics.render());
    let ready = Ready {
        group_id: Some(settings.kafka.group_id.clone()),
        ..Ready::at(http.url())
    };
    let ready = ready
        .with_kafka(&settings.kafka)
        .with_clickhouse(&settings.clickhouse);
    info!(
        health = ready.api_url,
        kafka = ready.bootstrap_servers,
        clickhouse = ready.clickhouse_url,
        "ingest"
    );
    ingestion::register_metrics();
    ready.write(ready_file)?;
    tasks.spawn(http.serve(router, tasks.shutdown()));
    tasks.spawn(ingestion::run(settings.kafka, store, problem, tasks.shutdown()));
    tasks.run_to_end().await
}

/// The API over ClickHouse, until stopped.
pub(crate) async fn serve(settings: Settings, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let mut tasks = Tasks::new()?;
    let metrics = telemetry::start_metrics(&mut tasks)?;
    let http = Bound::new(settings.http.addr()).await?;
    let store = Store::new(&settings.clickhouse);
    let checks = vec![api::clickhouse_check(&store, Access::Read)];
    let reader = KeyReader::start(&settings.auth, &store).await;
    let router = query::router(settings.query(), reader.keys(), store, checks, move || {
        metrics.render()
    });
    let ready = Ready::at(http.url()).with_clickhouse(&settings.clickhouse);
    info!(api = ready.api_url, clickhouse = ready.clickhouse_url, "serving");
    ready.write(ready_file)?;
    tasks.spawn(http.serve(router, tasks.shutdown()));
    tasks.spawn(reader.run(tasks.shutdown()));
    tasks.run_to_end().await
}
