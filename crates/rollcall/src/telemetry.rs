//! Logs and metrics.

use std::{io::IsTerminal, time::Duration};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{LogFormat, LogSettings};

/// Where durations fall, in seconds: from a millisecond to half a minute.
const DURATION_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How often what was measured is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts logging to standard error: what `log.filter` says, or else `default`.
///
/// # Errors
/// Where `log.filter` is no list of directives.
pub(crate) fn start_logging(settings: &LogSettings, default: &str) -> anyhow::Result<()> {
    let directives = settings.filter.as_deref().unwrap_or(default);
    let filter: EnvFilter = directives
        .parse()
        .with_context(|| format!("log.filter: {directives:?} is no filter"))?;
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
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
        .install_recorder()
        .context("metrics are collected already")
}

/// Sums up what is measured, until `shutdown`. Without it each duration would be kept until somebody asks for the metrics.
pub(crate) async fn sum_up(metrics: PrometheusHandle, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut ticks = interval(UPKEEP);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        metrics.run_upkeep();
    }
    Ok(())
}
