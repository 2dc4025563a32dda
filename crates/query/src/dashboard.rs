//! The dashboard: a page with a script and a style sheet, made from the sources in `dashboard/` and part of the program.
//! Its addresses are relative, so that it works under any prefix.

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::{cache, docs::SAFETY, error::Error, observe::last_part};

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

/// The paths of the files, below a prefix.
pub(crate) fn paths() -> impl Iterator<Item = String> {
    FILES.iter().map(|(name, ..)| format!("/{name}"))
}

/// Redirects from a prefix to the page below it, by an address that is relative.
pub(crate) async fn redirect(uri: Uri) -> impl IntoResponse {
    let location = format!("{}/", last_part(uri.path()));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)])
}

/// Sends a file of the dashboard; without a name, its page.
pub(crate) async fn file(uri: Uri) -> Result<Response, Error> {
    let name = last_part(uri.path());
    let file = FILES.iter().find(|(of, ..)| *of == name);
    let (_, content_type, content) = file.ok_or(Error::NoSuchPath)?;
    Ok((
        [(header::CONTENT_TYPE, *content_type)],
        [(header::ETAG, cache::tag(content))],
        SAFETY,
        *content,
    )
        .into_response())
}
