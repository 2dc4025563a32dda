//! How fresh answers are, in a header of each.

use std::{sync::Arc, time::Duration};

use aggregator::Store;
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use events::Progress;
use futures::future::join;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::app::App;

/// How old the newest event is that is settled, in seconds.
pub(crate) const X_NEWEST_EVENT_AGE: HeaderName = HeaderName::from_static("x-newest-event-age");

/// How long what was asked for answers further requests.
const MAX_AGE: Duration = Duration::from_secs(1);

/// How long an answer may wait for it.
const TIMEOUT: Duration = Duration::from_millis(200);

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

/// A layer that says with each answer how fresh it is, unless that takes longer than the answer.
pub(crate) async fn tell(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let progress = timeout(TIMEOUT, app.freshness.progress(&app.store));
    let (mut response, progress) = join(next.run(request), progress).await;
    if response.status().is_success()
        && let Ok(Ok(Progress {
            age_millis: Some(age),
            ..
        })) = progress
    {
        let headers = response.headers_mut();
        headers.insert(X_NEWEST_EVENT_AGE, HeaderValue::from(age / 1_000));
    }
    response
}
