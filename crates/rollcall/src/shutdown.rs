//! The end of a command, as a value.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How long what runs may take to come to its end once a signal asked for it.
pub(crate) const GRACE: Duration = Duration::from_secs(8);
/// How long what blocks may take after all that, as a commit that no broker answers. Then it is left behind.
pub(crate) const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// A token that SIGTERM or SIGINT cancels, and the task that waits for them: it ends with the runtime.
///
/// # Errors
/// Where the system lets no handler be set.
pub(crate) fn on_signal(
    tasks: &mut tokio::task::JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tasks.spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = cancelled.cancelled() => return Ok(()),
        };
        info!(signal = name, "stopping");
        cancelled.cancel();
        Ok(())
    });
    Ok(token)
}
