//! Every route on a page.

use std::{future::ready, sync::Arc};

use aggregator::Store;
use axum::{
    Extension, Router,
    handler::Handler,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, get},
};
use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{
    app::App,
    cache, dashboard, docs,
    error::{self, Error},
    handlers::{self, Metrics},
    observe,
    openapi::openapi,
    readiness::{Check, Checks},
    request_id, schemas,
    settings::Settings,
    stored_keys::StoredKeys,
};

const USER_PATH: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}";

/// Pages at the root. Where one has the path of the prefix, the dashboard is at the root alone.
const PAGES: [&str; 6] = [
    "/docs",
    "/schemas",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
];

/// The whole service, opened by keys of the settings and by stored ones. `metrics` writes the metrics of the process in the text
/// format of Prometheus.
///
/// Routes for operators need no key. Every route answers `GET`, `HEAD` and `OPTIONS`; every error is JSON.
///
/// # Panics
/// Never: a description is made of texts, numbers and lists, all of which JSON can write.
pub fn router(
    settings: Settings,
    stored_keys: StoredKeys,
    store: Store,
    checks: Vec<Check>,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> Router {
    let description = openapi(&settings.prefix)
        .to_json()
        .expect("a description is made of texts, numbers and lists, all of which JSON can write");
    let mut prefixes = vec![settings.prefix.as_str().to_owned(), String::new()];
    prefixes.dedup();

    let cors = settings.cors_origins.layer();
    let app = Arc::new(App::new(settings, stored_keys, store));

    let endpoints = [
        ("transcripts", with_options(handlers::transcripts)),
        ("usage-summary", with_options(handlers::usage_summary)),
        ("user-cohorts-over-time", with_options(handlers::user_cohorts)),
        ("mentors", with_options(handlers::mentors)),
        ("topics", with_options(handlers::topics)),
        ("conversations/{id}/messages", with_options(handlers::messages)),
        ("pipeline", with_options(handlers::pipeline)),
    ]
    .map(|(name, endpoint)| {
        let endpoint = endpoint
            .layer(from_fn_with_state(Arc::clone(&app), handlers::tell_freshness))
            .layer(from_fn(cache::revalidate));
        (name, endpoint)
    });
    let mut router = Router::new();
    for prefix in &prefixes {
        if !PAGES.contains(&prefix.as_str()) {
            router = dashboard(router, prefix);
        }
        for (name, endpoint) in &endpoints {
            let path = format!("{prefix}{USER_PATH}/{name}");
            router = router
                .route(&path, endpoint.clone())
                .route(&format!("{path}/"), endpoint.clone());
        }
        router = router
            .route(&format!("{prefix}/schemas"), with_options(docs::redirect))
            .route(&format!("{prefix}/schemas/"), with_options(schemas::list))
            .route(&format!("{prefix}/schemas/{{file}}"), with_options(schemas::file))
            .route(
                &format!("{prefix}/openapi.json"),
                with_options(docs::openapi_json),
            )
            .route(&format!("{prefix}/docs"), with_options(docs::redirect))
            .route(&format!("{prefix}/docs/"), with_options(docs::swagger_ui))
            .route(
                &format!("{prefix}/docs/{{*file}}"),
                with_options(docs::swagger_ui),
            );
    }
    if let Some(cors) = cors {
        router = router.layer(cors).layer(from_fn(handlers::plain_options));
    }
    let router = router
        .layer(Extension(docs::Description(description.into())))
        .with_state(app);
    observe::register(&endpoints.each_ref().map(|(name, _)| observe::last_part(name)));
    with_common_layers(router.merge(operations(checks, metrics)))
}

/// Adds the dashboard below a prefix.
fn dashboard(mut router: Router<Arc<App>>, prefix: &str) -> Router<Arc<App>> {
    if !prefix.is_empty() {
        router = router.route(prefix, with_options(docs::redirect));
    }
    for (path, file) in dashboard::files() {
        let file = with_options(|| ready(file)).layer(from_fn(cache::revalidate));
        router = router.route(&format!("{prefix}{path}"), file);
    }
    router
}

/// Only the routes for operators: for a process that does not serve the endpoints.
pub fn operator_router(checks: Vec<Check>, metrics: impl Fn() -> String + Send + Sync + 'static) -> Router {
    with_common_layers(operations(checks, metrics))
}

fn operations(checks: Vec<Check>, metrics: impl Fn() -> String + Send + Sync + 'static) -> Router {
    observe::register(&["healthz", "readyz", "metrics"]);
    Router::new()
        .route("/healthz", with_options(handlers::healthz))
        .route("/readyz", with_options(handlers::readyz))
        .route("/metrics", with_options(handlers::metrics))
        .layer(Extension(Arc::new(Checks::new(checks))))
        .layer(Extension::<Metrics>(Arc::new(metrics)))
}

/// Adds what all routes share: errors in JSON, metrics, and ids of requests.
fn with_common_layers(router: Router) -> Router {
    router
        .fallback(|| async { Error::NoSuchPath })
        .method_not_allowed_fallback(|| async { Error::MethodNotAllowed })
        .layer(from_fn(error::require_host))
        .layer(from_fn(error::negotiate))
        // At the level that takes the least memory: many may read long lists at once.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn(observe::observe))
        .layer(from_fn(request_id::identify))
}

/// A route that answers `GET`, `HEAD` and `OPTIONS`.
fn with_options<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    get(handler).options(handlers::options)
}
