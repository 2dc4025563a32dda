//! Every route on a page.

use std::sync::Arc;

use aggregator::Store;
use axum::{
    Extension, Router,
    handler::Handler,
    middleware::from_fn,
    routing::{MethodRouter, get},
};

use crate::{
    app::App,
    docs, error,
    handlers::{self, Metrics},
    observe,
    openapi::openapi,
    readiness::Check,
    settings::Settings,
};

const USER: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}";

/// The whole service. `metrics` writes the metrics of the process in the text format of Prometheus.
///
/// Routes to operators need no key. Every route answers `GET`, `HEAD` and `OPTIONS`; every error is JSON.
///
/// # Panics
/// Never: a description is made of texts, numbers and lists, all of which JSON can write.
pub fn router(
    settings: Settings,
    store: Store,
    checks: Vec<Check>,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> Router {
    let description = openapi(&settings.prefix)
        .to_json()
        .expect("a description is made of texts, numbers and lists, all of which JSON can write");
    let mut bases = vec![settings.prefix.as_str().to_owned(), String::new()];
    bases.dedup();

    let mut router = Router::new().route("/", page(docs::to_docs));
    for base in &bases {
        router = router
            .route(&format!("{base}{USER}/transcripts"), page(handlers::transcripts))
            .route(&format!("{base}{USER}/transcripts/"), page(handlers::transcripts))
            .route(
                &format!("{base}{USER}/usage-summary"),
                page(handlers::usage_summary),
            )
            .route(
                &format!("{base}{USER}/usage-summary/"),
                page(handlers::usage_summary),
            )
            .route(
                &format!("{base}{USER}/user-cohorts-over-time"),
                page(handlers::user_cohorts),
            )
            .route(
                &format!("{base}{USER}/user-cohorts-over-time/"),
                page(handlers::user_cohorts),
            )
            .route(&format!("{base}/openapi.json"), page(docs::openapi_json))
            .route(&format!("{base}/docs"), page(docs::to_docs))
            .route(&format!("{base}/docs/"), page(docs::file))
            .route(&format!("{base}/docs/{{*file}}"), page(docs::file));
    }
    let router = router
        .layer(Extension(docs::Description(description.into())))
        .with_state(Arc::new(App::new(settings, store)));
    finish(router.merge(operations(checks, metrics)))
}

/// The routes to operators alone: for a process that answers no questions.
pub fn operator_router(checks: Vec<Check>, metrics: impl Fn() -> String + Send + Sync + 'static) -> Router {
    finish(operations(checks, metrics))
}

fn operations(checks: Vec<Check>, metrics: impl Fn() -> String + Send + Sync + 'static) -> Router {
    Router::new()
        .route("/healthz", page(handlers::healthz))
        .route("/readyz", page(handlers::readyz))
        .route("/metrics", page(handlers::metrics))
        .layer(Extension::<Arc<[Check]>>(checks.into()))
        .layer(Extension::<Metrics>(Arc::new(metrics)))
}

/// What all routes share: errors in JSON, and metrics.
fn finish(router: Router) -> Router {
    observe::describe();
    router
        .fallback(handlers::no_such_path)
        .method_not_allowed_fallback(handlers::method_not_allowed)
        .layer(from_fn(error::negotiate))
        .layer(from_fn(observe::observe))
}

fn page<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    get(handler).options(handlers::options)
}
