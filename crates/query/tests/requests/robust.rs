//! Whatever is sent, the answer is one that the contract knows.

use std::sync::LazyLock;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Method, Request, Uri},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError},
};
use tokio::runtime::Runtime;

use crate::service::{ACME_KEY, ALL_KEY, send, service};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static SERVICE: LazyLock<Router> = LazyLock::new(|| {
    let _runtime = RUNTIME.enter();
    service()
});

/// Bytes, percent-encoded or not, that may stand in an address.
fn escaped() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(any::<u8>(), 0..24).prop_map(|bytes| percent_encode(&bytes, NON_ALPHANUMERIC).to_string()),
        "[!-~]{0,24}",
        "\\PC{0,12}",
        "%[0-9a-z]{0,3}",
        Just("%00".to_owned()),
        "[a-z]".prop_map(|letter| letter.repeat(4_000)),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let known = [
        "",
        "2024-01-01",
        "2024-01-31",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "262143-12-31",
        "-262144-01-01",
        "day",
        "hourly",
        "week",
        "activity",
        "0",
        "1",
        "1000",
        "1001",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "NaN",
        "null",
        "a,b,,%20",
        "'",
        "\\",
        "%5CN",
        "%09",
    ];
    prop_oneof![4 => select(known.to_vec()).prop_map(str::to_owned), 1 => escaped()]
}

fn query() -> impl Strategy<Value = String> {
    let names = [
        "start_date",
        "end_date",
        "group_by",
        "aggregation",
        "new_users_by",
        "mentor",
        "mentor_id",
        "topics",
        "page",
        "page_size",
    ];
    let name = prop_oneof![6 => select(names.to_vec()).prop_map(str::to_owned), 1 => escaped()];
    // Most requests would miss a range, and the rules that come after it would never be reached.
    let range = select(
        &[
            "",
            "start_date=2024-01-01&end_date=2024-01-31",
            "start_date=2024-01-31&end_date=2024-01-01",
            "start_date=0001-01-01&end_date=9999-12-31",
        ][..],
    );
    (range, vec((name, value()), 0..5)).prop_map(|(range, pairs)| {
        let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        [range.to_owned()]
            .into_iter()
            .chain(pairs)
            .collect::<Vec<_>>()
            .join("&")
    })
}

fn path() -> impl Strategy<Value = String> {
    let endpoints = ["transcripts", "usage-summary", "user-cohorts-over-time"];
    let org = prop_oneof![3 => Just("acme".to_owned()), 1 => Just("globex".to_owned()), 1 => escaped()];
    let endpoint = (
        select(&["", "/dm"][..]),
        org,
        prop_oneof![3 => Just("u".to_owned()), 1 => escaped()],
        select(endpoints.to_vec()),
        select(&["", "/"][..]),
    )
        .prop_map(|(prefix, org, user, endpoint, slash)| {
            format!("{prefix}/api/ai-analytics/orgs/{org}/users/{user}/{endpoint}{slash}")
        });
    let other = prop_oneof![
        select(
            &[
                "/",
                "/healthz",
                "/readyz",
                "/metrics",
                "/openapi.json",
                "/docs",
                "/dm/docs/"
            ][..]
        )
        .prop_map(str::to_owned),
        escaped().prop_map(|file| format!("/docs/{file}")),
        vec(escaped(), 0..8).prop_map(|parts| format!("/{}", parts.join("/"))),
    ];
    prop_oneof![6 => endpoint, 1 => other]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let names = [
        "authorization",
        "accept",
        "accept-encoding",
        "content-type",
        "range",
        "if-match",
        "origin",
    ];
    let key = prop_oneof![
        8 => select(&[ACME_KEY, ALL_KEY][..]).prop_map(|key| format!("Api-Token {key}").into_bytes()),
        1 => vec(any::<u8>(), 0..24),
    ];
    let others = vec((select(names.to_vec()), vec(any::<u8>(), 0..40)), 0..3);
    (key, others).prop_map(|(key, mut others)| {
        others.retain(|(name, _)| *name != "authorization" || key.is_empty());
        others.push(("authorization", key));
        others
    })
}

fn method() -> impl Strategy<Value = &'static str> {
    let rare = [
        "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW",
    ];
    prop_oneof![8 => Just("GET"), 1 => select(rare.to_vec())]
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2_000) })]

    #[test]
    fn no_request_is_answered_by_a_status_that_the_contract_does_not_know(
        method in method(),
        path in path(),
        query in query(),
        headers in headers(),
        body in vec(any::<u8>(), 0..64),
    ) {
        // What is no address, or no header, never gets past the server of HTTP.
        let Ok(uri) = Uri::try_from(format!("{path}?{query}").into_bytes()) else {
            return Err(TestCaseError::reject("not an address"));
        };
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(uri);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request = request.header(name, value);
            }
        }
        let answer = RUNTIME.block_on(send(&SERVICE, request.body(Body::from(body)).unwrap()));
        let status = answer.status.as_u16();
        prop_assert!(
            matches!(status, 200 | 204 | 307 | 400 | 401 | 403 | 404 | 405 | 503),
            "{status}: {}", answer.body
        );
        if status >= 400 && method != "HEAD" {
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let members = body.as_object().unwrap();
            prop_assert_eq!(members.len(), 1);
            prop_assert!(!members["detail"].as_str().unwrap().is_empty());
        }
    }
}
