//! Logs and metrics.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use anyhow::{Context, bail};
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{format::Writer, time::FormatTime},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    clock, progress,
    settings::{LogFormat, LogSettings},
    shutdown::Tasks,
};

/// The bounds of the histograms of durations, in seconds.
const DURATION_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// What our own lines, and those of the engine, come under.
const TARGETS: [&str; 6] = [
    "aggregator",
    "clickhouse",
    "consumer",
    "embedded",
    "query",
    "rollcall",
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
    let directives = settings.filter.as_deref().filter(|text| !text.trim().is_empty());
    let registry = tracing_subscriber::registry().with(filter(directives.unwrap_or(default))?);
    let is_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(is_terminal)
        .with_writer(|| LogWriter)
        // It would say so on standard error, which is what failed, as where a terminal was closed.
        .log_internal_errors(false);
    match settings.format {
        LogFormat::Text if is_terminal => registry
            .with(lines.with_target(false).with_timer(TimeOfDay))
            .try_init()?,
        LogFormat::Text => registry.with(lines.with_target(false)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

/// Reads directives such as `info` and `info,consumer=debug`. A word alone must be a level: `tracing` would take another
/// one for a target, and log nothing else.
///
/// # Errors
/// Where it is no list of directives, or one that by mistake lets next to nothing through.
fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    let directives: Vec<&str> = directives
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .collect();
    let is_level = |word: &&str| word.parse::<LevelFilter>().is_ok();
    let word = directives
        .iter()
        .find(|word| !word.contains(['=', '[']) && !is_level(word));
    if let Some(word) = word {
        bail!(
            "log.filter: {word:?} is not a level: off, error, warn, info, debug or trace; \
             for one target write {word}=debug"
        );
    }
    let directives_text = directives.join(",");
    let filter = directives_text
        .parse()
        .with_context(|| format!("log.filter: {directives_text:?} is not a filter"))?;
    let is_ours = |directive: &&str| TARGETS.iter().any(|target| directive.starts_with(target));
    if !directives
        .iter()
        .any(|directive| is_level(directive) || is_ours(directive) || directive.starts_with('['))
    {
        bail!(
            "log.filter: {directives_text:?} names no level and no target of Rollcall, so that nearly nothing would be \
             logged: write info,{directives_text}"
        );
    }
    Ok(filter)
}

/// The time of day in UTC, to seconds: lines on a terminal are short, and read when they are written.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        let now = clock::now().to_rfc3339_seconds();
        line.write_str(now.split_once('T').map_or(&now, |(_, time)| time))
    }
}

/// Writes to standard error, above progress bars.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        progress::above_bars(|| std::io::stderr().write(line))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_and_targets_and_silences_nothing_by_mistake() {
        for accepted in [
            "off",
            "warn",
            "INFO",
            "info, consumer=debug",
            "consumer=debug",
            "trace,hyper=info",
            "[span]=info",
        ] {
            assert!(filter(accepted).is_ok(), "{accepted}");
        }
        for refused in [
            "verbose",
            "info,verbose",
            "consumer",
            "rolcall=debug",
            "hyper=info",
            "a=b=c",
            "info consumer",
            ",",
            "consumer=loud",
        ] {
            let message = format!("{:#}", filter(refused).err().unwrap());
            assert!(message.starts_with("log.filter: "), "{message}");
        }
    }
}
