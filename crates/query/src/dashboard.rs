//! The dashboard: a page with a script and a style sheet, made from the sources in `dashboard/` and part of the program.
//! Its addresses are relative, so that it works under any prefix.

use axum::{
    http::{HeaderValue, header},
    response::IntoResponse,
};

use crate::{cache, docs::SAFETY};

/// The files by their names; the page has none.
const FILES: [(&str, &str, &[u8]); 3] = [
    (
        "",
        "text/html; charset=utf-8",
        include_bytes!("../dashboard/dist/index.html"),
    ),
    (
        "dashboard.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../dashboard/dist/dashboard.js"),
    ),
    (
        "dashboard.css",
        "text/css; charset=utf-8",
        include_bytes!("../dashboard/dist/dashboard.css"),
    ),
];

/// The files as responses, each with its path below a prefix.
pub(crate) fn files() -> impl Iterator<Item = (String, impl IntoResponse + Clone + Send + Sync + 'static)> {
    FILES.into_iter().map(|(name, content_type, content)| {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (header::ETAG, cache::tag(content)),
        ];
        (format!("/{name}"), (headers, SAFETY, content))
    })
}
