//! What browsers ask for besides answers: whether a page of another origin may read them, and smaller bodies.

use std::io::Read;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use query::{Settings, StoredKeys};
use tower::ServiceExt;

use crate::service::{ACME, Answer, get, send, service, settings, unreachable_store};

const PAGE: &str = "https://app.example";

/// The service with pages of these origins.
fn with_origins(origins: &str) -> Router {
    let settings = Settings {
        cors_origins: origins.to_owned().try_into().unwrap(),
        ..settings()
    };
    query::router(
        settings,
        StoredKeys::default(),
        unreachable_store(),
        Vec::new(),
        String::new,
    )
}

/// What a browser asks before a page sends its key.
async fn preflight(service: &Router, origin: &str, path: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,content-type");
    send(service, request.body(Body::empty()).unwrap()).await
}

/// The words of a header in all its values, in order.
pub(crate) fn words(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let mut words: Vec<_> = values
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|word| word.trim().to_lowercase())
        .collect();
    words.sort_unstable();
    words
}

#[tokio::test]
async fn pages_of_the_origins_in_the_settings_may_read_answers_and_errors() {
    let service = with_origins("https://app.example,http://localhost:3000");
    let path = format!("{ACME}/usage-summary/");
    for origin in [PAGE, "http://localhost:3000"] {
        let asked = preflight(&service, origin, &path).await;
        assert_eq!(asked.status.as_u16(), 200, "{origin}");
        assert_eq!(asked.header("access-control-allow-origin"), origin);
        assert_eq!(
            words(&asked.headers, "access-control-allow-methods"),
            ["get", "head"]
        );
        assert_eq!(
            words(&asked.headers, "access-control-allow-headers"),
            [
                "accept",
                "authorization",
                "content-type",
                "if-none-match",
                "x-request-id"
            ]
        );
        assert_eq!(asked.header("access-control-max-age"), "86400");
    }
    let request = Request::get(&path).header("origin", PAGE);
    let refused = send(&service, request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status.as_u16(), 401);
    assert_eq!(refused.header("access-control-allow-origin"), PAGE);
    assert_eq!(
        words(&refused.headers, "access-control-expose-headers"),
        [
            "content-disposition",
            "etag",
            "link",
            "retry-after",
            "x-newest-event-age",
            "x-request-id",
            "x-total-count"
        ]
    );
    assert!(words(&refused.headers, "vary").contains(&"origin".to_owned()));
    let plain = send(&service, Request::options(&path).body(Body::empty()).unwrap()).await;
    assert_eq!(
        (plain.status.as_u16(), plain.header("allow")),
        (204, "GET,HEAD,OPTIONS")
    );
    let other = preflight(&service, "https://other.example", &path).await;
    assert_eq!(other.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_star_is_every_origin_and_nothing_is_none() {
    let path = format!("{ACME}/transcripts/");
    let any = preflight(&with_origins("*"), PAGE, &path).await;
    assert_eq!(any.header("access-control-allow-origin"), "*");
    let none = preflight(&service(), PAGE, &path).await;
    assert_eq!(
        (none.status.as_u16(), none.header("allow")),
        (204, "GET,HEAD,OPTIONS")
    );
    assert_eq!(none.header("access-control-allow-origin"), "");
    // What operators read is no page's business.
    let metrics = preflight(&with_origins("*"), PAGE, "/metrics").await;
    assert_eq!(metrics.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn bodies_are_compressed_for_whoever_takes_that() {
    let service = service();
    let plain = get(&service, "/openapi.json").await;
    assert_eq!(plain.header("content-encoding"), "");
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("br", ""),
        ("gzip;q=0", ""),
    ] {
        let request = Request::get("/openapi.json")
            .header("host", "rollcall.example")
            .header("accept-encoding", accepted);
        let answer = service
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let found = parts
            .headers
            .get("content-encoding")
            .map(|value| value.to_str().unwrap());
        assert_eq!(found.unwrap_or_default(), encoding, "{accepted}");
        assert!(words(&parts.headers, "vary").contains(&"accept-encoding".to_owned()));
        let body = body.collect().await.unwrap().to_bytes();
        if encoding == "gzip" {
            let mut text = String::new();
            GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
            assert_eq!(text, plain.body);
        }
        let is_smaller = body.len() * 3 < plain.body.len();
        assert_eq!(is_smaller, !encoding.is_empty(), "{accepted}: {}", body.len());
    }
}
