//! What is served in addition to the endpoints, and what every route does.

use std::{
    future::ready,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, Version},
};
use futures::{FutureExt, future::join_all, poll};
use query::{Check, Settings, StoredKeys};
use tokio::net::TcpListener;

use crate::{
    browsers::words,
    http::send_as_it_is,
    service::{ACME, ALL_KEY, get, send, service, settings, unreachable_store},
};

const ROUTES: [&str; 6] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs/",
    "/schemas/",
];

async fn with_method(method: &str, path: &str) -> crate::service::Answer {
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(path)
        .header("authorization", "acme-key");
    send(&service(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_pages_for_operators_need_no_key() {
    for (path, content_type, text) in [
        ("/healthz", "application/json", r#"{"status":"ok"}"#),
        (
            "/readyz",
            "application/json",
            r#"{"status":"ready","checks":{"clickhouse":"ok"}}"#,
        ),
        (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            "a_metric 1\n",
        ),
    ] {
        let answer = send(&service(), Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
        assert_eq!(answer.body, text, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_or_hangs_is_named() {
    let checks = vec![
        Check::new("clickhouse", || ready(Ok(()))),
        Check::new("kafka", || ready(Err("no broker answers".to_owned()))),
        Check::new("schema", std::future::pending),
    ];
    let service = query::router(
        settings(),
        StoredKeys::default(),
        unreachable_store(),
        checks,
        String::new,
    );
    let answer = get(&service, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = serde_json::json!({
        "status": "not ready",
        "checks": {
            "clickhouse": "ok",
            "kafka": "no broker answers",
            "schema": "no answer within 2 s",
        },
        "detail": "kafka is not ready: no broker answers; schema is not ready: no answer within 2 s",
    });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&answer.body).unwrap(),
        expected
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_about_readiness_is_given_for_a_second() {
    let runs = Arc::new(AtomicUsize::new(0));
    let probe = {
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).map(Ok)
        }
    };
    let checks = vec![Check::new("clickhouse", probe)];
    let service = query::operator_router(checks, String::new);
    // Those that ask at the same time share one answer, and one who goes away leaves it to the others.
    let gone = tokio::time::timeout(Duration::from_millis(1), get(&service, "/readyz")).await;
    assert!(gone.is_err());
    let answers = join_all((0..100).map(|_| get(&service, "/readyz"))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    get(&service, "/metrics").await;
    tokio::time::advance(Duration::from_millis(890)).await;
    get(&service, "/readyz").await;
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_millis(20)).await;
    get(&service, "/readyz").await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_request_of_http_1_1_has_one_host() {
    for (version, hosts, status) in [
        (Version::HTTP_11, 0, 400),
        (Version::HTTP_11, 1, 200),
        (Version::HTTP_11, 2, 400),
        (Version::HTTP_10, 0, 200),
    ] {
        let mut request = Request::get("/healthz").version(version);
        for _ in 0..hosts {
            request = request.header("host", "rollcall.example");
        }
        let answer = send_as_it_is(&service(), request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{version:?} {hosts}");
        if status == 400 {
            assert_eq!(
                answer.body,
                r#"{"detail":"the request must have one Host header"}"#
            );
        }
    }
}

#[tokio::test]
async fn what_an_answer_depends_on_is_said_to_caches() {
    let refused = format!("{ACME}/usage-summary/");
    for (path, vary) in [
        (refused.as_str(), "accept accept-encoding authorization"),
        ("/nowhere", "accept"),
        ("/healthz", ""),
    ] {
        for accept in ["application/problem+json", "*/*"] {
            let request = Request::get(path)
                .header("accept", accept)
                .header("authorization", "acme-key");
            let answer = send(&service(), request.body(Body::empty()).unwrap()).await;
            assert_eq!(words(&answer.headers, "vary").join(" "), vary, "{path} {accept}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request_or_a_new_one() {
    let refused = format!("{ACME}/usage-summary/");
    for path in ROUTES.iter().copied().chain([refused.as_str(), "/nowhere"]) {
        for method in ["GET", "HEAD", "OPTIONS", "POST"] {
            let ask = async |id: Option<&str>| {
                let request = Request::builder().method(method).uri(path);
                let request = id
                    .into_iter()
                    .fold(request, |request, id| request.header("x-request-id", id));
                let answer = send(&service(), request.body(Body::empty()).unwrap()).await;
                answer.header("x-request-id").to_owned()
            };
            assert_eq!(ask(Some("gateway-7")).await, "gateway-7", "{method} {path}");
            for unfit in [None, Some("two words")] {
                let (made, other) = (ask(unfit).await, ask(unfit).await);
                assert_eq!(made.len(), 36, "{method} {path}: {made}");
                assert_ne!(made, other, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_has_the_status_and_headers_of_get_and_no_body() {
    let refused = format!("{ACME}/usage-summary/");
    for path in ROUTES.iter().copied().chain([refused.as_str(), "/nowhere"]) {
        let (got, head) = (with_method("GET", path).await, with_method("HEAD", path).await);
        assert_eq!(head.status, got.status, "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
        assert!(!got.body.is_empty(), "{path}");
        assert_eq!(head.body, "", "{path}");
    }
}

#[tokio::test]
async fn options_lists_the_methods_and_any_other_is_refused() {
    let endpoints =
        ["transcripts", "usage-summary/", "user-cohorts-over-time"].map(|name| format!("{ACME}/{name}"));
    for path in ROUTES.iter().copied().chain(endpoints.iter().map(String::as_str)) {
        let options = with_method("OPTIONS", path).await;
        assert_eq!(options.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(options.header("allow"), "GET,HEAD,OPTIONS", "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let answer = with_method(method, path).await;
            assert_eq!(
                answer.error(),
                (405, "the method is not allowed on this path".to_owned()),
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), "GET,HEAD,OPTIONS", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_path_that_no_route_has_is_an_error_in_json() {
    let service = service();
    for path in [
        "/api",
        "/api/ai-analytics/orgs/acme/users/u",
        "/api/ai-analytics/orgs/acme/users/u/",
        "/api/ai-analytics/orgs/acme/users/u/transcripts//",
        "/api/ai-analytics/orgs/acme/users/u/transcripts/x",
        "/api/ai-analytics/orgs/acme/users/a/b/transcripts",
        "/API/ai-analytics/orgs/acme/users/u/transcripts",
        "/md/api/ai-analytics/orgs/acme/users/u/transcripts",
        "/dm/dm/api/ai-analytics/orgs/acme/users/u/transcripts",
        "/dm/healthz",
        "/docs/nowhere.js",
        "/docs/../Cargo.toml",
        "/docs/%2e%2e/openapi.json",
    ] {
        let answer = get(&service, path).await;
        assert_eq!(answer.body, r#"{"detail":"no such path"}"#, "{path}");
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_prefix_may_be_any_path_that_the_service_has_itself() {
    for prefix in ["", "/docs", "/metrics", "/docs/api", "/api", ACME] {
        let settings = Settings {
            prefix: prefix.to_owned().try_into().unwrap(),
            ..settings()
        };
        let service = query::router(
            settings,
            StoredKeys::default(),
            unreachable_store(),
            Vec::new(),
            String::new,
        );
        let path = format!("{prefix}{ACME}/usage-summary");
        assert_eq!(
            get(&service, &path).await.status,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
        let path = format!("{prefix}/docs/");
        assert_eq!(get(&service, &path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_no_fault_of_the_request() {
    let service = service();
    let days = "start_date=2024-01-01&end_date=2024-01-31";
    for query in [
        "transcripts".to_owned(),
        "transcripts?page=2".to_owned(),
        format!("usage-summary?{days}"),
        format!("user-cohorts-over-time?{days}"),
    ] {
        let answer = get(&service, &format!("{ACME}/{query}")).await;
        let detail = "the analytics store is not available at the moment";
        assert_eq!(answer.error(), (503, detail.to_owned()), "{query}");
        assert_eq!(answer.header("retry-after"), "5", "{query}");
    }
}

/// A service whose store takes connections and says nothing.
async fn mute(settings: Settings) -> (Router, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = aggregator::Store::new(&aggregator::Settings {
        url: format!("http://{}", listener.local_addr().unwrap()),
        ..aggregator::Settings::default()
    });
    (
        query::router(settings, StoredKeys::default(), store, Vec::new(), String::new),
        listener,
    )
}

#[tokio::test]
async fn a_store_that_does_not_answer_in_time_is_no_fault_of_the_request() {
    let settings = Settings {
        query_timeout: Duration::from_millis(50),
        ..settings()
    };
    let (service, _listener) = mute(settings).await;
    let days = "start_date=2024-01-01&end_date=2024-01-31";
    for query in [
        "transcripts".to_owned(),
        "transcripts?page=2".to_owned(),
        format!("usage-summary?{days}"),
        format!("user-cohorts-over-time?{days}&mentor_id=m"),
    ] {
        let answer = get(&service, &format!("{ACME}/{query}")).await;
        let detail = "the analytics store did not answer within 0.05 s";
        assert_eq!(answer.error(), (503, detail.to_owned()), "{query}");
        assert_eq!(answer.header("retry-after"), "5", "{query}");
    }
}

#[tokio::test]
async fn a_key_over_its_limit_is_told_when_to_ask_again_until_a_client_of_its_own_has_gone_away() {
    let settings = Settings {
        requests_per_key: NonZeroUsize::MIN.saturating_add(1),
        ..settings()
    };
    let (service, _listener) = mute(settings).await;
    let (list, usage) = (
        format!("{ACME}/transcripts"),
        format!("{ACME}/usage-summary?start_date=2024-01-01&end_date=2024-01-31"),
    );
    let mut first = Box::pin(get(&service, &list));
    let mut second = Box::pin(get(&service, &usage));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    for path in [&list, &usage] {
        let answer = get(&service, path).await;
        let detail = "too many requests with this API key are waiting for an answer";
        assert_eq!(answer.error(), (429, detail.to_owned()), "{path}");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
    let of_another_key = Request::get(&usage).header("authorization", ALL_KEY);
    let mut of_another_key = Box::pin(send(&service, of_another_key.body(Body::empty()).unwrap()));
    assert!(poll!(&mut of_another_key).is_pending());
    drop(first);
    assert!(poll!(&mut Box::pin(get(&service, &usage))).is_pending());
}
