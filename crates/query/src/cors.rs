//! Which pages of other origins may read answers (CORS).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use serde::Deserialize;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::{freshness::X_NEWEST_EVENT_AGE, paging::X_TOTAL_COUNT, request_id::X_REQUEST_ID};

/// How long a browser may remember what a preflight said; no browser does for longer than a day.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a page may send of its own.
const ALLOWED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::IF_NONE_MATCH,
    X_REQUEST_ID,
];

/// What a page may read besides the body.
const EXPOSED: [HeaderName; 7] = [
    header::LINK,
    X_TOTAL_COUNT,
    X_NEWEST_EVENT_AGE,
    X_REQUEST_ID,
    header::ETAG,
    header::RETRY_AFTER,
    header::CONTENT_DISPOSITION,
];

/// The origins whose pages may read answers, as `https://one.example,https://two.example`, or `*` for any; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origins(Vec<String>);

/// A text is no list of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginsError {
    /// It is not a scheme, a host and perhaps a port.
    #[error(
        "{0:?} is no origin: it must be as https://app.example or http://localhost:3000, or * alone for any"
    )]
    NotAnOrigin(String),
}

impl TryFrom<String> for Origins {
    type Error = OriginsError;

    fn try_from(text: String) -> Result<Self, OriginsError> {
        let origins: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(str::to_owned)
            .collect();
        let fits = |origin: &String| is_origin(origin) || (origin == "*" && origins.len() == 1);
        match origins.iter().find(|origin| !fits(origin)) {
            Some(origin) => Err(OriginsError::NotAnOrigin(origin.clone())),
            None => Ok(Self(origins)),
        }
    }
}

impl Origins {
    /// What answers the questions of browsers about them, and says in each answer whose pages may read it; none where none may.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let allowed = match self.0.as_slice() {
            [] => return None,
            [any] if any == "*" => AllowOrigin::from(Any),
            origins => AllowOrigin::list(
                origins
                    .iter()
                    .filter_map(|origin| HeaderValue::try_from(origin).ok()),
            ),
        };
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers(ALLOWED)
            .expose_headers(EXPOSED)
            .max_age(MAX_AGE);
        Some(layer)
    }
}

/// Whether a text is an origin as a browser sends it: in lower case, without a path or a closing slash.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    !authority.as_str().contains(['@', '*'])
        && format!("{scheme}://{authority}") == text
        && text == text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str) -> Result<Origins, OriginsError> {
        text.to_owned().try_into()
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for (text, count) in [
            ("", 0),
            (" , ", 0),
            ("*", 1),
            ("https://a.example", 1),
            ("https://a.example, http://localhost:3000,http://[::1]:80", 3),
        ] {
            assert_eq!(origins(text).unwrap().0.len(), count, "{text}");
        }
        for text in [
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://A.example",
            "https://me@a.example",
            "https://*.a.example",
            "null",
        ] {
            assert_eq!(
                origins(text),
                Err(OriginsError::NotAnOrigin(text.to_owned())),
                "{text}"
            );
        }
        assert_eq!(
            origins("https://a.example,*"),
            Err(OriginsError::NotAnOrigin("*".to_owned()))
        );
    }
}
