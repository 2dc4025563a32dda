//! The description of the interface, made from the handlers, the parameters and the bodies.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, Server,
        security::{ApiKey, ApiKeyValue, SecurityScheme},
    },
};

use crate::{dto::ErrorBody, handlers, schemas, settings::Prefix};

/// The routes for operators, which are served without any prefix.
const AT_THE_ROOT: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Describes the interface as OpenAPI 3.1. Its first server is the prefix, where there is one; that of the routes for
/// operators is the root.
pub fn openapi(prefix: &Prefix) -> openapi::OpenApi {
    let mut description = Description::openapi();
    let prefixed = (!prefix.as_str().is_empty()).then(|| Server::new(prefix.as_str()));
    if prefixed.is_some() {
        for path in AT_THE_ROOT {
            if let Some(item) = description.paths.paths.get_mut(path) {
                item.servers = Some(vec![Server::new("/")]);
            }
        }
    }
    description.servers = Some(prefixed.into_iter().chain([Server::new("/")]).collect());
    description
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall",
        description = "Analytics of chats: conversations, active users, new and veteran users. \
                       Every path of ai-analytics is served with and without its closing slash. \
                       Days, hours, weeks and months are UTC; weeks begin on Monday; ranges include both their ends. \
                       Every answer has a header X-Request-Id: that of the request, or a new one; the log has it too."
    ),
    tags(
        (name = "ai-analytics", description = "The three analytics endpoints."),
        (name = "discovery", description = "What can be asked about: mentors, topics, and the messages of a conversation; and how far ingestion is."),
        (name = "events", description = "What producers publish; no key is needed."),
        (name = "operations", description = "For operators; no key is needed."),
    ),
    paths(
        handlers::transcripts,
        handlers::usage_summary,
        handlers::user_cohorts,
        handlers::mentors,
        handlers::topics,
        handlers::messages,
        handlers::pipeline,
        schemas::list,
        schemas::file,
        handlers::healthz,
        handlers::readyz,
        handlers::metrics,
    ),
    components(schemas(ErrorBody)),
    modifiers(&KeyInHeader)
)]
struct Description;

struct KeyInHeader;

impl Modify for KeyInHeader {
    fn modify(&self, description: &mut openapi::OpenApi) {
        let about = "`Api-Token KEY`. Also taken: `Api-Key KEY`, `Token KEY`, `Bearer KEY`, or the bare key.";
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "Authorization",
            about,
        )));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("PlatformApiKeyAuthentication", scheme);
    }
}
