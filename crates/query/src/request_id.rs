//! An id for each request, by which its answer and the lines of the log about it are found.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

/// The id, in requests and in answers.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id that is taken from a request.
const MAX_LENGTH: usize = 128;

/// A layer that gives each request its id: its own where that is fit for a log, else a new one. Lines that are logged while it
/// is handled have the id, and the answer has it as a header.
pub(crate) async fn identify(request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| Uuid::new_v4().to_string());
    // At the level of errors, so that none is logged without it.
    let span = tracing::error_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    let id = HeaderValue::try_from(id).expect("an id is visible ASCII");
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// The id that a request brings, unless it is too long or has characters that ids are not made of.
fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
    ((1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(is_fit)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_where_it_is_short_and_fit_for_a_log() {
        let long = "x".repeat(MAX_LENGTH);
        let too_long = "x".repeat(MAX_LENGTH + 1);
        for (value, is_taken) in [
            ("5e0d1a5e-3d3c-4d9c-9a53-0c4ffb3ad8d4", true),
            ("gateway:7/a_b.c+d=@", true),
            (long.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a,b", false),
            ("é", false),
        ] {
            let headers =
                HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap())]);
            assert_eq!(given(&headers), is_taken.then(|| value.to_owned()), "{value:?}");
        }
        assert_eq!(given(&HeaderMap::new()), None);
    }
}
