//! The end of a command, as a value.

use std::{fs, future::pending, time::Duration};

use anyhow::Context;
use futures::FutureExt;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long running tasks may take to end once a signal asked for it.
pub(crate) const GRACE: Duration = Duration::from_secs(8);
/// How long blocking calls may take after that, such as a commit that no broker answers. Then they are abandoned.
pub(crate) const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// The tasks of a command, and the token that SIGTERM, SIGINT and SIGHUP cancel. Dropping it aborts the tasks.
#[derive(Debug)]
pub(crate) struct Tasks {
    running: JoinSet<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl Tasks {
    /// No tasks but the one that waits for the signals.
    ///
    /// # Errors
    /// Where the system lets no handler be set.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let cancelled = shutdown.clone();
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let mut hang_up = None;
        if !hang_up_is_ignored() {
            hang_up = Some(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?);
        }
        let mut running = JoinSet::new();
        running.spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                () = received(hang_up.as_mut()) => "SIGHUP",
                () = cancelled.cancelled() => return Ok(()),
            };
            info!(signal = name, "stopping");
            cancelled.cancel();
            Ok(())
        });
        Ok(Self { running, shutdown })
    }

    /// The token that asks every task to end.
    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Runs a task next to the others.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Does some work; none where a signal comes before it is done.
    pub(crate) fn unless_stopped<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<Option<T>, E>> {
        self.shutdown.run_until_cancelled(work).map(Option::transpose)
    }

    /// Waits until every task has ended. The first that fails, and the token, ask the others to end too; those that do not
    /// within [`GRACE`] are aborted.
    ///
    /// # Errors
    /// That of the first task that failed.
    pub(crate) async fn run_to_end(self) -> anyhow::Result<()> {
        let Self {
            mut running,
            shutdown,
        } = self;
        let mut outcome = Ok(());
        let mut settle = |ended: Result<anyhow::Result<()>, JoinError>| {
            let ended = ended.map_err(anyhow::Error::from).and_then(|ended| ended);
            if ended.is_err() && outcome.is_ok() {
                outcome = ended;
                shutdown.cancel();
            }
        };
        while let Some(next) = shutdown.run_until_cancelled(running.join_next()).await {
            match next {
                Some(ended) => settle(ended),
                None => return outcome,
            }
        }
        let rest = async {
            while let Some(ended) = running.join_next().await {
                settle(ended);
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            warn!("not everything ended in time; what is not settled will be consumed again");
        }
        outcome
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Whether whoever started this process wants it to outlive its terminal, as `nohup` does. To listen would undo that.
fn hang_up_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // A bit for each signal, from 1 on.
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = SignalKind::hangup().as_raw_value() - 1;
    ignored.is_some_and(|mask| mask >> bit & 1 == 1)
}
