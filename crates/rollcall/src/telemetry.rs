//! Logs and metrics.

use std::{io::IsTerminal, time::Duration};

use anyhow::Context;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    settings::{LogFormat, LogSettings},
    shutdown::Tasks,
};

/// The bounds of the histograms of durations, in seconds.
const DURATION_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// 1, with the version of the program as a label.
const BUILD_INFO: &str = "rollcall_build_info";

/// How often the process is measured, and how often the exporter folds the durations that it has collected into histograms. Without that, it would keep each until
/// the metrics are read.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Starts logging to standard error: what `log.filter` says, or else `default`.
///
/// # Errors
/// Where `log.filter` is not a list of directives.
pub(crate) fn start_logging(settings: &LogSettings, default: &str) -> anyhow::Result<()> {
    let directives = settings.filter.as_deref().unwrap_or(default);
    let filter: EnvFilter = directives
        .parse()
        .with_context(|| format!("log.filter: {directives:?} is not a filter"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

/// Starts collecting metrics; the handle renders them as Prometheus text.
///
/// # Errors
/// Where they are collected already.
pub(crate) fn start_metrics(tasks: &mut Tasks) -> anyhow::Result<PrometheusHandle> {
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
        .install_recorder()
        .context("metrics are collected already")?;
    describe_gauge!(BUILD_INFO, "1, with the version of the program");
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    tasks.spawn(run_upkeep(metrics.clone(), tasks.shutdown()));
    Ok(metrics)
}

async fn run_upkeep(metrics: PrometheusHandle, shutdown: CancellationToken) -> anyhow::Result<()> {
    let process = metrics_process::Collector::default();
    process.describe();
    let mut ticks = interval(UPKEEP_INTERVAL);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        process.collect();
        metrics.run_upkeep();
    }
    Ok(())
}
