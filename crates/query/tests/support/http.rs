//! Requests to the router, without a socket. Every answer is compared with its description.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::conformance;

/// Of acme alone.
pub(crate) const ACME_KEY: &str = "acme-key";
/// Of every organisation.
pub(crate) const ALL_KEY: &str = "all=key==";

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request to some host and reads all of its response.
pub(crate) async fn send(service: &Router, mut request: Request<Body>) -> Answer {
    let host = HeaderValue::from_static("rollcall.example");
    request.headers_mut().entry(header::HOST).or_insert(host);
    send_as_it_is(service, request).await
}

/// Sends a request, with or without a `Host`, and reads all of its response, which must be as it is described.
pub(crate) async fn send_as_it_is(service: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (parts, body) = service.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body
        .collect()
        .await
        .expect("the body ends as it should")
        .to_bytes();
    let answer = Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    if method == Method::GET {
        conformance::assert_described(&path, &answer);
    }
    answer
}
