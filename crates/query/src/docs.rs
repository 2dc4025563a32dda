//! The description of the interface as JSON, and Swagger UI to read it. All of it is part of the program;
//! addresses are relative, so that it works under any prefix that a proxy adds.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderName, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use utoipa_swagger_ui::Config;

use crate::{error::Error, observe::last_part};

/// The description, written once.
#[derive(Clone)]
pub(crate) struct Description(pub(crate) Bytes);

/// What keeps a page to itself: it loads and asks only what it came with, and no other page frames it.
pub(crate) const SAFETY: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Sends the description.
pub(crate) async fn openapi_json(Extension(Description(json)): Extension<Description>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], json)
}

/// Redirects to the page of the same path with a closing slash, by an address that is relative.
pub(crate) async fn redirect(uri: Uri) -> impl IntoResponse {
    let location = format!("{}/", last_part(uri.path()));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)])
}

/// Sends a file of Swagger UI; without a name, its page.
pub(crate) async fn swagger_ui(uri: Uri) -> Result<Response, Error> {
    let name = uri.path().rsplit("/docs/").next().unwrap_or_default();
    // Without a validator the page asks no other server for anything, and without a bar it describes nothing but this.
    let config = Config::from("../openapi.json").validator_url("none");
    let file = utoipa_swagger_ui::serve(name, Arc::new(config))
        .ok()
        .flatten()
        .ok_or(Error::NoSuchPath)?;
    Ok((
        [(header::CONTENT_TYPE, file.content_type)],
        SAFETY,
        file.bytes.into_owned(),
    )
        .into_response())
}
