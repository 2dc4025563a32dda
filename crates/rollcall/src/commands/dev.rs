//! `rollcall dev`

use std::{net::SocketAddr, path::Path};

use futures::future::select_all;
use tracing::info;

use crate::{
    api::Bound,
    engine::{EmbeddedCluster, EmbeddedEngine},
    ready::Ready,
    settings::{Settings, loopback},
    shutdown::Tasks,
    stack,
};

/// ClickHouse's port, where no other address is asked for.
const CLICKHOUSE_PORT: u16 = 8123;

/// The embedded engine alone, on the address that was asked for, until stopped. `http.addr` is that of the API: an engine
/// there would leave no place for it, and would not be where `clickhouse.url` says.
///
/// # Errors
/// Where the engine does not start, or would be reached from other machines without `allow_remote`.
pub(crate) async fn clickhouse(
    settings: Settings,
    http_addr: Option<SocketAddr>,
    allow_remote: bool,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    let addr = http_addr.unwrap_or_else(|| loopback(CLICKHOUSE_PORT));
    if !addr.ip().is_loopback() && !allow_remote {
        anyhow::bail!(
            "http.addr: {addr} is reached from other machines; --allow-remote serves it there under the password of \
             the ready file"
        );
    }
    let data_dir = settings.embedded.data_dir()?;
    let tasks = Tasks::new()?;
    // The engine serves once it runs, which takes a while: an address in use is reported before that.
    drop(Bound::new(addr).await?);
    let _lock = stack::lock(&data_dir)?;
    let starting = EmbeddedEngine::start(&settings.embedded, &data_dir, addr);
    let Some(embedded) = tasks.unless_stopped(starting).await? else {
        return Ok(());
    };
    let ready = embedded.ready();
    let _announcement = ready.announce(&data_dir)?;
    ready.write(ready_file)?;
    tasks.shutdown().cancelled().await;
    embedded.engine.shutdown().await;
    Ok(())
}

/// Engines as the shards of one cluster, until stopped.
///
/// # Errors
/// Where an engine does not start.
pub(crate) async fn cluster(
    settings: &Settings,
    shards: u8,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    let data_dir = settings.embedded.data_dir()?;
    let tasks = Tasks::new()?;
    let _lock = stack::lock(&data_dir)?;
    let starting = EmbeddedCluster::start(&settings.embedded, &data_dir, shards);
    let Some(embedded) = tasks.unless_stopped(starting).await? else {
        return Ok(());
    };
    let mut pids = embedded.pids();
    loop {
        let ready = embedded.ready();
        let _announcement = ready.announce(&data_dir)?;
        ready.write(ready_file)?;
        // An engine that ended by itself and was started again has another process.
        let changed = select_all(pids.iter_mut().map(|pid| Box::pin(pid.changed())));
        if tasks.shutdown().run_until_cancelled(changed).await.is_none() {
            break;
        }
    }
    embedded.cluster.shutdown().await;
    Ok(())
}

/// The embedded broker alone, until stopped.
pub(crate) async fn kafka(settings: &Settings, ready_file: Option<&Path>) -> anyhow::Result<()> {
    let tasks = Tasks::new()?;
    let broker = stack::start_broker(&settings.kafka)?;
    let ready = Ready {
        bootstrap_servers: Some(broker.bootstrap_servers()),
        ..Ready::default().with_kafka(&settings.kafka)
    };
    ready.write(ready_file)?;
    info!(
        topic = ready.topic,
        dead_letter_topic = ready.dead_letter_topic,
        "waiting for clients"
    );
    tasks.shutdown().cancelled().await;
    Ok(())
}
