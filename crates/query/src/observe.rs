//! The metrics of requests, and a line of the log about each.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    Error,
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use tokio::time::Instant;
use tracing::{Span, debug};

/// Counts requests, once their response is sent or aborted. Labels: `route`, the last part of the route's path
/// (`other` where no route has the path); `status`, the response's, in three digits; `outcome`, `complete`, `cancelled` by
/// the client, or `broken` off because the rest of a list could not be read.
pub const HTTP_REQUESTS_TOTAL: &str = "rollcall_http_requests_total";

/// How long requests took, in seconds, until the end of their response. Label: `route`.
pub const HTTP_REQUEST_DURATION_SECONDS: &str = "rollcall_http_request_duration_seconds";

/// How many requests wait for a slot at the moment, streamed lists included of which more is to be read. Label: `lane`,
/// `lists` or `questions`.
pub const HTTP_WAITING_REQUESTS: &str = "rollcall_http_waiting_requests";

const COMPLETE: &str = "complete";
const CANCELLED: &str = "cancelled";
const BROKEN: &str = "broken";

/// Registers what the metrics mean, and counters of these routes at 0: an increase from nothing would be missed.
pub(crate) fn register(routes: &[&'static str]) {
    describe_counter!(
        HTTP_REQUESTS_TOTAL,
        Unit::Count,
        "HTTP requests, by route, status and outcome (complete, cancelled, broken)"
    );
    describe_histogram!(
        HTTP_REQUEST_DURATION_SECONDS,
        Unit::Seconds,
        "time from a request to the end of its response, by route"
    );
    describe_gauge!(
        HTTP_WAITING_REQUESTS,
        Unit::Count,
        "requests that wait for their turn to ask ClickHouse, by lane (lists, questions)"
    );
    for route in routes {
        for (status, outcome) in [
            ("200", COMPLETE),
            ("200", CANCELLED),
            ("200", BROKEN),
            ("429", COMPLETE),
            ("503", COMPLETE),
        ] {
            counter!(HTTP_REQUESTS_TOTAL, "route" => *route, "status" => status, "outcome" => outcome)
                .increment(0);
        }
    }
}

/// A layer that counts and times every request.
pub(crate) async fn observe(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let route = label(matched.as_ref().map_or("", MatchedPath::as_str));
    let started = Instant::now();
    let response = next.run(request).await;
    let observation = Observation {
        route,
        status: response.status(),
        outcome: if response.body().is_end_stream() {
            COMPLETE
        } else {
            CANCELLED
        },
        started,
        span: Span::current(),
    };
    response.map(|body| Body::new(ObservedBody { body, observation }))
}

/// A request whose response is under way. Dropping it records it.
struct Observation {
    route: String,
    status: StatusCode,
    outcome: &'static str,
    started: Instant,
    /// Of the request, with its id.
    span: Span,
}

impl Drop for Observation {
    fn drop(&mut self) {
        let (route, status) = (std::mem::take(&mut self.route), self.status.as_str().to_owned());
        let labels = [
            ("route", route.clone()),
            ("status", status.clone()),
            ("outcome", self.outcome.to_owned()),
        ];
        counter!(HTTP_REQUESTS_TOTAL, &labels).increment(1);
        let time = self.started.elapsed();
        self.span
            .in_scope(|| debug!(route, status, outcome = self.outcome, ?time, "answered"));
        histogram!(HTTP_REQUEST_DURATION_SECONDS, "route" => route).record(time);
    }
}

/// The body of a response that is observed to its end.
struct ObservedBody {
    body: Body,
    observation: Observation,
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let span = self.observation.span.clone();
        let frame = ready!(span.in_scope(|| Pin::new(&mut self.body).poll_frame(context)));
        match &frame {
            Some(Err(_)) => self.observation.outcome = BROKEN,
            // Whoever sends it need not ask for more than the last frame.
            Some(Ok(_)) if !self.body.is_end_stream() => {}
            Some(Ok(_)) | None => self.observation.outcome = COMPLETE,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The name of a route: the same for all forms of its path.
fn label(matched: &str) -> String {
    let path = matched.strip_suffix("/{*file}").unwrap_or(matched);
    match last_part(path.strip_suffix('/').unwrap_or(path)) {
        "" => "other".to_owned(),
        name => name.to_owned(),
    }
}

/// What stands behind the last slash of a path.
pub(crate) fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::{Router, middleware::from_fn, routing::get};
    use http_body_util::BodyExt;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn the_names_of_metrics_are_part_of_the_interface() {
        assert_eq!(HTTP_REQUESTS_TOTAL, "rollcall_http_requests_total");
        assert_eq!(
            HTTP_REQUEST_DURATION_SECONDS,
            "rollcall_http_request_duration_seconds"
        );
        assert_eq!(HTTP_WAITING_REQUESTS, "rollcall_http_waiting_requests");
    }

    #[tokio::test]
    async fn an_answer_is_counted_by_how_it_ended() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        register(&["list"]);
        let list = || async {
            let chunks = [Ok(Bytes::from_static(b"[")), Err("broken off")];
            Body::from_stream(futures::stream::iter(chunks))
        };
        let router = Router::new()
            .route("/list", get(list))
            .route("/whole", get(|| async { "whole" }))
            .route("/empty", get(|| async {}))
            .layer(from_fn(observe));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().into_body()
        };
        assert!(ask("/list").await.collect().await.is_err());
        drop(ask("/list").await);
        ask("/whole").await.collect().await.unwrap();
        ask("/empty").await.collect().await.unwrap();
        let rendered = recorder.handle().render();
        let mut found: Vec<_> = rendered
            .lines()
            .filter(|line| line.starts_with(HTTP_REQUESTS_TOTAL))
            .collect();
        found.sort_unstable();
        let expected = [
            ("empty", "200", "complete", 1),
            ("list", "200", "broken", 1),
            ("list", "200", "cancelled", 1),
            ("list", "200", "complete", 0),
            ("list", "429", "complete", 0),
            ("list", "503", "complete", 0),
            ("whole", "200", "complete", 1),
        ];
        let expected = expected.map(|(route, status, outcome, count)| {
            format!(
                "{HTTP_REQUESTS_TOTAL}{{route=\"{route}\",status=\"{status}\",outcome=\"{outcome}\"}} {count}"
            )
        });
        assert_eq!(found, expected);
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
