//! How fresh answers are, in a header of each.

use std::time::Duration;

use aggregator::Store;
use axum::http::HeaderName;
use events::Progress;
use tokio::{sync::Mutex, time::Instant};

/// How old the newest event is that is settled, in seconds.
pub(crate) const X_NEWEST_EVENT_AGE: HeaderName = HeaderName::from_static("x-newest-event-age");

/// How long what was asked for answers further requests.
const MAX_AGE: Duration = Duration::from_secs(1);

/// How far ingestion is, as it was asked last.
#[derive(Default)]
pub(crate) struct Freshness(Mutex<Option<(Instant, Progress)>>);

impl Freshness {
    /// How far ingestion is, at most [`MAX_AGE`] ago.
    pub(crate) async fn progress(&self, store: &Store) -> Result<Progress, aggregator::Error> {
        let mut last = self.0.lock().await;
        if let Some((asked, progress)) = *last
            && asked.elapsed() < MAX_AGE
        {
            return Ok(progress);
        }
        let progress = store.progress().await?;
        *last = Some((Instant::now(), progress));
        Ok(progress)
    }
}
