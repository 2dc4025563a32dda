//! The metrics of requests.

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

/// Counts requests, once their response is sent or aborted. Labels: `route`, the last part of the route's path
/// (`other` where no route has the path), and `status`, the response's, in three digits.
pub const HTTP_REQUESTS_TOTAL: &str = "rollcall_http_requests_total";

/// How long requests took, in seconds, until the end of their response. Label: `route`.
pub const HTTP_REQUEST_DURATION_SECONDS: &str = "rollcall_http_request_duration_seconds";

/// Registers what the metrics mean.
pub(crate) fn describe() {
    describe_counter!(
        HTTP_REQUESTS_TOTAL,
        Unit::Count,
        "HTTP requests, by route and status"
    );
    describe_histogram!(
        HTTP_REQUEST_DURATION_SECONDS,
        Unit::Seconds,
        "time from a request to the end of its response, by route"
    );
}

/// A layer that counts and times every request.
pub(crate) async fn observe(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let route = label(matched.as_ref().map_or("", MatchedPath::as_str));
    let started = Instant::now();
    let response = next.run(request).await;
    let observation = Observation {
        route,
        status: response.status(),
        started,
    };
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        // The observation ends with the body that it is moved into.
        Body::new(body.inspect_frame(move |_| {
            let _ = &observation;
        }))
    })
}

/// A request whose response is under way. Dropping it records it.
struct Observation {
    route: String,
    status: StatusCode,
    started: Instant,
}

impl Drop for Observation {
    fn drop(&mut self) {
        let (route, status) = (std::mem::take(&mut self.route), self.status.as_str().to_owned());
        counter!(HTTP_REQUESTS_TOTAL, "route" => route.clone(), "status" => status).increment(1);
        histogram!(HTTP_REQUEST_DURATION_SECONDS, "route" => route).record(self.started.elapsed());
    }
}

/// The name of a route: the same for all forms of its path.
fn label(matched: &str) -> String {
    let path = matched.strip_suffix("/{*file}").unwrap_or(matched);
    let path = path.strip_suffix('/').unwrap_or(path);
    match path.rsplit('/').next().unwrap_or_default() {
        "" => "other".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_metrics_are_part_of_the_interface() {
        assert_eq!(HTTP_REQUESTS_TOTAL, "rollcall_http_requests_total");
        assert_eq!(
            HTTP_REQUEST_DURATION_SECONDS,
            "rollcall_http_request_duration_seconds"
        );
    }

    #[test]
    fn a_route_has_one_name_in_all_its_forms() {
        for (path, name) in [
            (
                "/api/ai-analytics/orgs/{org}/users/{user_id}/transcripts",
                "transcripts",
            ),
            (
                "/dm/api/ai-analytics/orgs/{org}/users/{user_id}/transcripts/",
                "transcripts",
            ),
            ("/docs", "docs"),
            ("/docs/", "docs"),
            ("/docs/{*file}", "docs"),
            ("/", "other"),
        ] {
            assert_eq!(label(path), name, "{path}");
        }
    }
}
