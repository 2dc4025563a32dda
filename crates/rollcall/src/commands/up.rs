//! `rollcall up`

use std::path::Path;

use tracing::info;

use crate::{cli::ExternalServices, settings::Settings, shutdown::Tasks, stack::Stack, telemetry};

/// Everything in one process, until stopped.
pub(crate) async fn run(
    settings: Settings,
    mut external: ExternalServices,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    let data_dir = settings.embedded.data_dir()?;
    use_named(&settings, &mut external);
    let mut tasks = Tasks::new()?;
    let metrics = telemetry::start_metrics(&mut tasks)?;
    let started = tasks
        .unless_stopped(Stack::start(settings, data_dir.clone(), external))
        .await;
    let Some(stack) = started? else {
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
    let _announcement = stack.announce()?;
    ready.write(ready_file)?;
    stack.run(tasks, metrics).await
}

/// Uses the services that the file or the environment names, where the command line names none.
fn use_named(settings: &Settings, external: &mut ExternalServices) {
    if let (None, Some(origin)) = (&external.kafka, &settings.named.kafka) {
        let servers = &settings.kafka.bootstrap_servers;
        info!(
            servers,
            "no embedded broker: {origin} sets kafka.bootstrap_servers"
        );
        external.kafka = Some(servers.clone());
    }
    if let (None, Some(origin)) = (&external.clickhouse, &settings.named.clickhouse) {
        let url = &settings.clickhouse.url;
        info!(url, "no embedded engine: {origin} sets clickhouse.url");
        external.clickhouse = Some(url.clone());
    }
}
