//! The checks of `/readyz`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt, Shared, join_all};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{info, warn};
use utoipa::ToSchema;

/// How long a check may take; one that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long an outcome answers further requests: anybody may ask, and each check is work.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Something that must work before requests are sent here.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    probe: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Check {
    /// A check of what `name` names, as in `clickhouse`. The probe is run for a request to `/readyz`, at
    /// most once a second, under a timeout of 2 s and at the same time as the other checks; its error is shown there, so
    /// it must hold no secret.
    pub fn new<F>(name: &'static str, probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            name,
            probe: Arc::new(move || probe().boxed()),
        }
    }

    async fn run(&self) -> (&'static str, Result<(), String>) {
        let timeout = |_| Err(format!("no answer within {} s", TIMEOUT.as_secs()));
        (
            self.name,
            tokio::time::timeout(TIMEOUT, (self.probe)())
                .await
                .unwrap_or_else(timeout),
        )
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

/// The checks of a process, and their last outcome.
pub(crate) struct Checks {
    all: Vec<Check>,
    /// When it was asked for, and what it is or will be.
    last: Mutex<Option<(Instant, Shared<BoxFuture<'static, Readiness>>)>>,
    /// Which checks had failed when that was logged last.
    reported: Arc<Mutex<Option<String>>>,
}

impl Checks {
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        Self {
            all: checks,
            last: Mutex::new(None),
            reported: Arc::default(),
        }
    }

    /// The outcome of all checks, at most [`MAX_AGE`] old. Requests that come while they run share one outcome.
    pub(crate) async fn readiness(&self) -> Readiness {
        self.last_outcome().await
    }

    fn last_outcome(&self) -> Shared<BoxFuture<'static, Readiness>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, outcome)) = &*last {
            // Checks run only while somebody waits for them, so those of a client that went away may never end.
            let max_age = if outcome.peek().is_some() {
                MAX_AGE
            } else {
                TIMEOUT
            };
            if asked.elapsed() < max_age {
                return outcome.clone();
            }
        }
        let (checks, reported) = (self.all.clone(), Arc::clone(&self.reported));
        let outcome = async move {
            let readiness = Readiness::of(&checks).await;
            let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
            if *reported != readiness.detail {
                readiness.log();
                (*reported).clone_from(&readiness.detail);
            }
            readiness
        };
        let outcome = outcome.boxed().shared();
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// Whether the process can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`, or `not ready` if any check failed.
    status: &'static str,
    /// Each check, and `ok` or why it failed.
    #[schema(example = json!({"clickhouse": "ok", "kafka": "ok"}))]
    checks: BTreeMap<&'static str, String>,
    /// Which checks failed, in a sentence; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Readiness {
    /// Runs all checks at the same time.
    async fn of(checks: &[Check]) -> Self {
        let (mut outcomes, mut failed) = (BTreeMap::new(), Vec::new());
        for (name, outcome) in join_all(checks.iter().map(Check::run)).await {
            if let Err(reason) = &outcome {
                failed.push(format!("{name} is not ready: {reason}"));
            }
            outcomes.insert(name, outcome.err().unwrap_or_else(|| "ok".to_owned()));
        }
        Self {
            status: if failed.is_empty() { "ready" } else { "not ready" },
            checks: outcomes,
            detail: (!failed.is_empty()).then(|| failed.join("; ")),
        }
    }

    fn log(&self) {
        if let Some(detail) = &self.detail {
            warn!("not ready: {detail}");
        } else {
            info!("ready again");
        }
    }

    /// Whether no check failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.detail.is_none()
    }
}
