//! The three endpoints, and the pages for operators.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use events::Progress;
use futures::{FutureExt, StreamExt, future::join, stream::iter};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    access::{Org, asked_conversation},
    app::App,
    csv,
    dto::{Cohorts, MentorCount, MessageModel, Pipeline, TopicCount, Transcript, UsageCount, usage_counts},
    error::Error,
    format::{self, Format},
    freshness::X_NEWEST_EVENT_AGE,
    paging::{Cursor, Part},
    params::{Days, OrgAndUser, Params, Transcripts, UsageSummary, UserCohorts},
    readiness::{Checks, Readiness},
    stream::{self, list, whole},
};

/// List conversations
///
/// Conversations whose first message falls in the range, newest first, then by id. Without `page`, `page_size` and
/// `cursor` the whole list is sent, as a stream.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/transcripts/",
    operation_id = "ai_analytics_orgs_users_transcripts_list",
    tag = "ai-analytics",
    params(OrgAndUser, Transcripts),
    responses(
        (
            status = OK,
            description = "The conversations.",
            content(
                ([Transcript] = "application/json", example = json!([{
                    "first_message": "what is a group?",
                    "topics": [{"name": "algebra"}],
                    "id": "0855d97f-6033-411a-b1ae-d8cb596c412a",
                    "user_id": "ada",
                    "message_count": 2,
                    "model": "tutor-1",
                    "inserted_at": "2026-11-23T09:30:00.120Z",
                    "user_sentiment": "positive"
                }])),
                (String = "text/csv", example = "id,inserted_at,user_id,first_message,message_count,model,topics,user_sentiment\r\n"),
            ),
            headers(
                ("X-Total-Count" = u64, description = "Of a page: how many conversations all pages hold."),
                ("Link" = String, description = "Of a page (RFC 8288): the first, prev, next and last page; after a cursor, the next. Left out where it would be longer than 2 KB."),
            )
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn transcripts(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    Params(Transcripts { filter, part }): Params<Transcripts>,
    form: format::Asked,
    uri: Uri,
) -> Result<Response, Error> {
    const NAME: &str = "transcripts";
    match part {
        Part::Whole => {
            let chunks = app.store.transcripts(&org, &filter);
            let body = list(form.format, app.run_each(asked, chunks)).await?;
            Ok(form.streamed(NAME, body))
        }
        Part::Page(page) => {
            let found = app
                .store
                .transcripts_page(&org, &filter, page.offset(), page.size);
            let found = app.run(&asked, found.boxed()).await?;
            let headers = page.headers(&uri, found.total);
            let Some(rest) = found.rest else {
                let body = whole(form.format, &found.first);
                return Ok((headers, form.whole(NAME, body)).into_response());
            };
            let chunks = iter([Ok(found.first)]).chain(app.run_each(asked, rest));
            let body = list(form.format, chunks).await?;
            Ok((headers, form.streamed(NAME, body)).into_response())
        }
        Part::After(Cursor(place), size) => {
            let found = app.store.transcripts_after(&org, &filter, place, size);
            let (found, are_last) = app.run(&asked, found.boxed()).await?;
            let next = found.last().filter(|_| !are_last);
            let headers = next.map(|last| Cursor::after(last).header(&uri, size));
            let body = whole(form.format, &found);
            Ok((headers.unwrap_or_default(), form.whole(NAME, body)).into_response())
        }
    }
}

/// Count active users
///
/// Distinct users who wrote to any mentor, for every period of the range, zeros included.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/usage-summary/",
    operation_id = "ai_analytics_orgs_users_usage_summary_list",
    tag = "ai-analytics",
    params(OrgAndUser, UsageSummary),
    responses(
        (
            status = OK,
            description = "A count for every period, in order.",
            content(
                ([UsageCount] = "application/json", example = json!([{"date": "2026-11-23", "user_count": 1}])),
                (String = "text/csv", example = "date,user_count\r\n2026-11-23,1\r\n"),
            )
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn usage_summary(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    Params(UsageSummary { range, grain }): Params<UsageSummary>,
    form: format::Asked,
) -> Result<Response, Error> {
    let counts = app
        .run(&asked, app.store.usage_summary(&org, range, grain))
        .await?;
    let counts = usage_counts(range, grain, counts);
    let body = match form.format {
        Format::Json => json(&counts),
        Format::Csv => csv::usage(&counts),
    };
    Ok(form.whole("usage-summary", body))
}

/// Count new and veteran users over time
///
/// For every period of the range, zeros included: users who registered in the period, and users active in the period who
/// registered before the range.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/user-cohorts-over-time/",
    operation_id = "ai_analytics_orgs_users_user_cohorts_over_time_retrieve",
    tag = "ai-analytics",
    params(OrgAndUser, UserCohorts),
    responses(
        (
            status = OK,
            description = "Three lists with an item for every period.",
            content(
                (Cohorts = "application/json", example = json!({
                    "periods": ["2026-11-23T00:00:00Z"],
                    "new_users": [1],
                    "veteran_users": [0]
                })),
                (String = "text/csv", example = "periods,new_users,veteran_users\r\n2026-11-23T00:00:00Z,1,0\r\n"),
            )
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn user_cohorts(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    Params(UserCohorts {
        range,
        grain,
        new_users_by,
        mentor,
    }): Params<UserCohorts>,
    form: format::Asked,
) -> Result<Response, Error> {
    let counts = app
        .run(
            &asked,
            app.store
                .cohorts(&org, range, grain, mentor.as_deref(), new_users_by)
                .boxed(),
        )
        .await?;
    let cohorts = Cohorts::from(counts.as_slice());
    let body = match form.format {
        Format::Json => json(&cohorts),
        Format::Csv => csv::cohorts(&cohorts),
    };
    Ok(form.whole("user-cohorts-over-time", body))
}

/// List mentors
///
/// The mentors that conversations of the range began with, most first; 1,000 at most.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/mentors/",
    operation_id = "ai_analytics_orgs_users_mentors_list",
    tag = "discovery",
    params(OrgAndUser, Days),
    responses(
        (
            status = OK,
            description = "The mentors.",
            content(
                ([MentorCount] = "application/json", example = json!([{"mentor_id": "euclid", "conversation_count": 12}])),
                (String = "text/csv", example = "mentor_id,conversation_count\r\neuclid,12\r\n"),
            )
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn mentors(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    Params(Days(range)): Params<Days>,
    form: format::Asked,
) -> Result<Response, Error> {
    let mentors = app.run(&asked, app.store.mentors(&org, &range).boxed()).await?;
    let mentors: Vec<_> = mentors
        .into_iter()
        .map(|(mentor_id, conversation_count)| MentorCount {
            mentor_id,
            conversation_count,
        })
        .collect();
    let body = match form.format {
        Format::Json => json(&mentors),
        Format::Csv => csv::mentors(&mentors),
    };
    Ok(form.whole("mentors", body))
}

/// List topics
///
/// The topics of conversations of the range, most first; 1,000 at most.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/topics/",
    operation_id = "ai_analytics_orgs_users_topics_list",
    tag = "discovery",
    params(OrgAndUser, Days),
    responses(
        (
            status = OK,
            description = "The topics.",
            content(
                ([TopicCount] = "application/json", example = json!([{"name": "algebra", "conversation_count": 12}])),
                (String = "text/csv", example = "name,conversation_count\r\nalgebra,12\r\n"),
            )
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn topics(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    Params(Days(range)): Params<Days>,
    form: format::Asked,
) -> Result<Response, Error> {
    let topics = app.run(&asked, app.store.topics(&org, &range).boxed()).await?;
    let topics: Vec<_> = topics
        .into_iter()
        .map(|(name, conversation_count)| TopicCount {
            name,
            conversation_count,
        })
        .collect();
    let body = match form.format {
        Format::Json => json(&topics),
        Format::Csv => csv::topics(&topics),
    };
    Ok(form.whole("topics", body))
}

/// List the messages of a conversation
///
/// In the order of time. Of several records of a message the latest is shown.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/conversations/{id}/messages/",
    operation_id = "ai_analytics_orgs_users_conversations_messages_list",
    tag = "discovery",
    params(OrgAndUser, ("id" = Uuid, Path, description = "The conversation.")),
    responses(
        (
            status = OK,
            description = "The messages.",
            body = [MessageModel],
            example = json!([{
                "id": "5e0d1a5e-3d3c-4d9c-9a53-0c4ffb3ad8d4",
                "role": "user",
                "user_id": "ada",
                "mentor_id": "euclid",
                "content": "what is a group?",
                "model": "",
                "created_at": "2026-11-23T09:30:00.120Z"
            }])
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn messages(
    State(app): State<Arc<App>>,
    Org { name: org, asked }: Org,
    uri: Uri,
) -> Result<Response, Error> {
    let id = asked_conversation(uri.path()).ok_or(Error::NoSuchConversation)?;
    let chunks = app.store.messages(&org, id);
    let mut chunks = app.run_each(asked, chunks).peekable();
    if Pin::new(&mut chunks).peek().await.is_none() {
        return Err(Error::NoSuchConversation);
    }
    let body = stream::messages(chunks).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Show how far ingestion is
///
/// Of all organisations, as ingestion reports it every few seconds.
#[utoipa::path(
    get,
    path = "/api/ai-analytics/orgs/{org}/users/{user_id}/pipeline/",
    operation_id = "ai_analytics_orgs_users_pipeline_retrieve",
    tag = "discovery",
    params(OrgAndUser),
    responses(
        (
            status = OK,
            description = "How far it is.",
            body = Pipeline,
            example = json!({
                "newest_event_at": "2026-11-23T09:30:00.120Z",
                "lag": 12,
                "rejected": 3,
                "as_of": "2026-11-23T09:30:02.481Z"
            })
        ),
        Error,
    ),
    security(("PlatformApiKeyAuthentication" = []))
)]
pub(crate) async fn pipeline(
    State(app): State<Arc<App>>,
    Org { asked, .. }: Org,
) -> Result<Json<Pipeline>, Error> {
    let progress = app.run(&asked, app.freshness.progress(&app.store)).await?;
    Ok(Json(progress.into()))
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer)
        .expect("an answer is made of texts, numbers and lists, all of which JSON can write")
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    status: &'static str,
}

/// Show that the process is alive
///
/// Served without any prefix.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "operations",
    responses((status = OK, description = "The process is alive.", body = Health))
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Show whether the process can do its work
///
/// It can once what its role needs is there: the schema in ClickHouse, for `ingest` the event topic in Kafka too. An
/// answer is at most a second old. Served without any prefix.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operations",
    responses(
        (status = OK, description = "Every check passed.", body = Readiness),
        (status = SERVICE_UNAVAILABLE, description = "Some check failed; it is named.", body = Readiness),
    )
)]
pub(crate) async fn readyz(Extension(checks): Extension<Arc<Checks>>) -> (StatusCode, Json<Readiness>) {
    let readiness = checks.readiness().await;
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}

/// Writes the metrics of the process in the text format of Prometheus.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Show the metrics of the process
///
/// Served without any prefix.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    responses((status = OK, description = "The text format of Prometheus.", body = String))
)]
pub(crate) async fn metrics(Extension(write): Extension<Metrics>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        write(),
    )
}

/// Lists the methods of a path.
pub(crate) async fn options() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(header::ALLOW, "GET,HEAD,OPTIONS")])
}

/// A layer that answers who asks for the methods of a route and is no browser. The layer of CORS, which comes after it, takes
/// every `OPTIONS` for a browser's question and names no methods in `Allow`.
pub(crate) async fn plain_options(request: Request, next: Next) -> Response {
    let is_plain = !request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && is_plain {
        return options().await.into_response();
    }
    next.run(request).await
}

/// A layer that says with each answer how fresh it is, unless that takes longer than the answer.
pub(crate) async fn tell_freshness(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    /// How long an answer may wait for it.
    const TIMEOUT: Duration = Duration::from_millis(200);
    let progress = timeout(TIMEOUT, app.freshness.progress(&app.store));
    let (mut response, progress) = join(next.run(request), progress).await;
    if response.status().is_success()
        && let Ok(Ok(Progress {
            age_millis: Some(age),
            ..
        })) = progress
    {
        let headers = response.headers_mut();
        headers.insert(X_NEWEST_EVENT_AGE, HeaderValue::from(age / 1_000));
    }
    response
}
