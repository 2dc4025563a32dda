//! All that can go wrong, and its status.

use std::{collections::BTreeMap, error::Error as StdError, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, response,
        schema::{SchemaType, Type},
    },
};

use crate::{accept, dto::ErrorBody, parameter_error::ParameterError};

const PROBLEM_JSON: &str = "application/problem+json";

/// How long a client should wait while the store is not available, in seconds: a restart of ClickHouse takes
/// about as long.
const RETRY_AFTER_SECS: u64 = 5;

/// Why a request fails. Its sender reads the message as `detail`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request carries no key, or nothing that could be one.
    #[error("Authorization must carry an API key, as in `Api-Token KEY`")]
    KeyMissing,
    /// No such key is configured.
    #[error("the API key in Authorization is not valid")]
    KeyUnknown,
    /// The key opens other organisations only; whether the requested one exists is not revealed.
    #[error("the API key does not open this org")]
    KeyOfAnotherOrg,
    /// No event of the organisation has arrived and no setting names it.
    #[error("org does not exist")]
    NoSuchOrg,
    /// The organisation has no message of the conversation.
    #[error("conversation does not exist")]
    NoSuchConversation,
    /// A request of HTTP/1.1 has no `Host`, or several.
    #[error("the request must have one Host header")]
    Host,
    /// A parameter breaks its rule.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// No route has the path.
    #[error("no such path")]
    NoSuchPath,
    /// The route has no such method.
    #[error("the method is not allowed on this path")]
    MethodNotAllowed,
    /// The key has too many requests already that are not answered.
    #[error("too many requests with this API key are waiting for an answer")]
    TooManyRequests,
    /// The requests of the key come too fast; the next is admitted after this time.
    #[error("more requests a second come with this API key than it may send")]
    TooFrequent(Duration),
    /// Which keys there are has not been read from ClickHouse for too long.
    #[error("API keys cannot be checked at the moment")]
    KeysUnread,
    /// ClickHouse failed.
    #[error("the analytics store is not available at the moment")]
    Store(#[source] aggregator::Error),
    /// ClickHouse took longer than the settings allow.
    #[error("the analytics store did not answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
}

/// Marks a response whose body is an error's, so that [`negotiate`] finds it.
#[derive(Clone)]
struct IsError;

impl Error {
    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::KeyUnknown => StatusCode::UNAUTHORIZED,
            Self::KeyOfAnotherOrg => StatusCode::FORBIDDEN,
            Self::NoSuchOrg | Self::NoSuchConversation | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Host | Self::Parameter(_) => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyRequests | Self::TooFrequent(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::KeysUnread | Self::Store(_) | Self::Timeout(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When to send the same request again, if the error is temporary.
    fn retry_after(&self) -> Option<HeaderValue> {
        let seconds = match self {
            Self::TooManyRequests => 1,
            Self::TooFrequent(wait) => wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            Self::KeysUnread | Self::Store(_) | Self::Timeout(_) => RETRY_AFTER_SECS,
            _ => return None,
        };
        Some(HeaderValue::from(seconds))
    }

    /// Logs the error with its causes if it is a server error. That keys are not read is logged where that is tried.
    pub(crate) fn log(&self) {
        if !self.status().is_server_error() || matches!(self, Self::KeysUnread) {
            return;
        }
        let causes = std::iter::successors(self.source(), |cause: &&dyn StdError| (*cause).source());
        let chain = causes.fold(self.to_string(), |chain, cause| format!("{chain}: {cause}"));
        tracing::error!(error = chain, "a query of the store failed");
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let (status, retry_after) = (self.status(), self.retry_after());
        let mut response = (
            status,
            axum::Json(ErrorBody {
                detail: self.to_string(),
            }),
        )
            .into_response();
        response.extensions_mut().insert(IsError);
        let challenge = (status == StatusCode::UNAUTHORIZED).then(|| HeaderValue::from_static("Api-Token"));
        let headers = response.headers_mut();
        headers.extend(challenge.map(|challenge| (header::WWW_AUTHENTICATE, challenge)));
        headers.extend(retry_after.map(|seconds| (header::RETRY_AFTER, seconds)));
        response
    }
}

/// A layer that refuses a request of HTTP/1.1 without one `Host`, as RFC 9112 asks (section 3.2).
pub(crate) async fn require_host(request: Request, next: Next) -> Result<Response, Error> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        return Err(Error::Host);
    }
    Ok(next.run(request).await)
}

/// A layer that calls the body of an error `application/problem+json` where `Accept` asks for that, and says to caches that it
/// depends on that.
pub(crate) async fn negotiate(request: Request, next: Next) -> Response {
    let asked = accept::weight(request.headers(), PROBLEM_JSON).is_some_and(|weight| weight > 0.0);
    let mut response = next.run(request).await;
    if response.extensions().get::<IsError>().is_some() {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        if asked {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        }
    }
    response
}

/// The errors of the three endpoints, for OpenAPI.
impl IntoResponses for Error {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let errors = [
            (
                "A parameter is missing, blank, malformed or contradicts another.",
                Self::Parameter(ParameterError::Missing("start_date")),
            ),
            (
                "No API key was given, or one that is not valid.",
                Self::KeyUnknown,
            ),
            (
                "The API key opens other organisations than the one asked for.",
                Self::KeyOfAnotherOrg,
            ),
            (
                "The organisation, or the conversation, does not exist.",
                Self::NoSuchOrg,
            ),
            (
                "Too many requests with this API key are waiting for an answer, or came within a second; try again later.",
                Self::TooManyRequests,
            ),
            (
                "The analytics store failed or timed out; try again later.",
                Self::Timeout(Duration::from_secs(30)),
            ),
        ];
        let response = |(description, error): (&str, Self)| {
            let body = || {
                ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name(ErrorBody::name())))
                    .example(Some(json!({"detail": error.to_string()})))
                    .build()
            };
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/json", body())
                .content(PROBLEM_JSON, body());
            let response = if error.retry_after().is_some() {
                let seconds = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
                let retry_after = HeaderBuilder::new()
                    .schema(Some(seconds))
                    .description(Some("How many seconds to wait before asking again."));
                response.header("Retry-After", retry_after.build())
            } else {
                response
            };
            (error.status().as_str().to_owned(), response.build().into())
        };
        errors.into_iter().map(response).collect()
    }
}
