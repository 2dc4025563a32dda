//! The JSON Schemas of the events, for producers and their tests.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Json,
    body::Bytes,
    http::{Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{dto::ErrorBody, error::Error, observe::last_part};

/// By the names of their files.
static FILES: LazyLock<BTreeMap<String, Bytes>> = LazyLock::new(|| {
    let file =
        |(event_type, schema): (&str, Value)| (format!("{event_type}.json"), schema.to_string().into());
    events::schemas().map(file).into_iter().collect()
});

/// List the schemas
///
/// Those of the events that are ingested, by the names of their files.
#[utoipa::path(
    get,
    path = "/schemas/",
    operation_id = "schemas_list",
    tag = "events",
    responses((
        status = OK,
        description = "The names.",
        body = [String],
        example = json!([
            "chat.conversation.annotated.v1.json",
            "chat.message.created.v1.json",
            "chat.user.erased.v1.json",
            "chat.user.registered.v1.json"
        ])
    ))
)]
pub(crate) async fn list() -> Json<Vec<&'static str>> {
    Json(FILES.keys().map(String::as_str).collect())
}

/// Read a schema
///
/// The JSON Schema of a type of event, of draft 2020-12: what a producer sends in structured mode. Of binary mode, `data` is the
/// value of the record.
#[utoipa::path(
    get,
    path = "/schemas/{file}",
    operation_id = "schemas_retrieve",
    tag = "events",
    params(("file" = String, Path, description = "One of the list.", example = "chat.message.created.v1.json")),
    responses(
        (
            status = OK,
            description = "The schema.",
            body = serde_json::Map<String, Value>,
            content_type = "application/schema+json",
            example = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "chat.message.created.v1"})
        ),
        (
            status = NOT_FOUND,
            description = "There is none of that name.",
            content(
                (ErrorBody = "application/json", example = json!({"detail": Error::NoSuchPath.to_string()})),
                (ErrorBody = "application/problem+json", example = json!({"detail": Error::NoSuchPath.to_string()})),
            )
        ),
    )
)]
pub(crate) async fn file(uri: Uri) -> Result<Response, Error> {
    let schema = FILES.get(last_part(uri.path())).ok_or(Error::NoSuchPath)?;
    Ok((
        [(header::CONTENT_TYPE, "application/schema+json")],
        schema.clone(),
    )
        .into_response())
}
