//! The description of the interface as JSON, and Swagger UI to read it. All of it is part of the program;
//! addresses are relative, so that it works under any prefix that a proxy adds.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use utoipa_swagger_ui::Config;

use crate::error::Error;

/// The description, written once.
#[derive(Clone)]
pub(crate) struct Description(pub(crate) Bytes);

/// Sends the description.
pub(crate) async fn openapi_json(Extension(Description(json)): Extension<Description>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], json)
}

/// Redirects from the root and from `/docs` to the page, by an address that is relative to both.
pub(crate) async fn redirect() -> impl IntoResponse {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "docs/")])
}

/// Sends a file of Swagger UI; without a name, its page.
pub(crate) async fn swagger_ui(uri: Uri) -> Result<Response, Error> {
    let name = uri.path().rsplit("/docs/").next().unwrap_or_default();
    // Without a validator the page asks no other server for anything.
    let config = Config::from("../openapi.json")
        .persist_authorization(true)
        .validator_url("none");
    let file = utoipa_swagger_ui::serve(name, Arc::new(config))
        .ok()
        .flatten()
        .ok_or(Error::NoSuchPath)?;
    Ok((
        [(header::CONTENT_TYPE, file.content_type)],
        file.bytes.into_owned(),
    )
        .into_response())
}
