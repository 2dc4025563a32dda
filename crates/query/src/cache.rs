//! What caches may keep, and answers that are sent only where they have changed.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// The `ETag` of a body (RFC 9110, section 8.8.3). A weak one, as the same body may be sent compressed or not.
pub(crate) fn tag(body: &[u8]) -> HeaderValue {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let half = hash.first_chunk().copied().unwrap_or_default();
    let number = u128::from_be_bytes(half);
    HeaderValue::try_from(format!("W/\"{number:032x}\"")).expect("quotes and digits are visible ASCII")
}

/// A layer that lets only the caches of a client keep an answer, which ask each time whether it still holds: whoever has one
/// with the same `ETag` gets 304.
pub(crate) async fn revalidate(request: Request, next: Next) -> Response {
    let known = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .cloned()
        .collect::<Vec<_>>();
    let mut response = next.run(request).await;
    // That of an error depends on `Accept` too, which it says itself.
    let depends_on = if response.status().is_success() {
        "authorization, accept"
    } else {
        "authorization"
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static(depends_on));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if is_known(&known, headers) {
        let mut headers = std::mem::take(headers);
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_DISPOSITION);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    response
}

/// Whether values of `If-None-Match` name the tag of an answer, weak or strong.
fn is_known(known: &[HeaderValue], answer: &HeaderMap) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let Some(tag) = answer.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
        return false;
    };
    let known = known.iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|known| known == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_its_digits_weak_or_strong() {
        let answer = HeaderMap::from_iter([(header::ETAG, tag(b"[]"))]);
        let written = answer[header::ETAG].to_str().unwrap().to_owned();
        assert!(written.starts_with("W/\"") && written.len() == 36, "{written}");
        let strong = written.trim_start_matches("W/").to_owned();
        for (known, is) in [
            (vec![written.clone()], true),
            (vec![strong.clone()], true),
            (vec![format!("\"a\", {strong}")], true),
            (vec!["\"a\"".to_owned(), written], true),
            (vec!["*".to_owned()], true),
            (vec![strong.to_uppercase() + "x"], false),
            (vec![], false),
        ] {
            let values: Vec<_> = known
                .iter()
                .map(|known| HeaderValue::try_from(known).unwrap())
                .collect();
            assert_eq!(is_known(&values, &answer), is, "{known:?}");
            assert!(!is_known(&values, &HeaderMap::new()), "{known:?}");
        }
    }
}
