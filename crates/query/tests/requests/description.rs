//! The description of the interface, and the page to read it.

use std::collections::{BTreeMap, BTreeSet};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::service::{get, send, service};

const TRANSCRIPTS: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/transcripts/";
const USAGE: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/usage-summary/";
const MENTORS: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/mentors/";
const TOPICS: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/topics/";
const MESSAGES: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/conversations/{id}/messages/";
const PIPELINE: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/pipeline/";
const COHORTS: &str = "/api/ai-analytics/orgs/{org}/users/{user_id}/user-cohorts-over-time/";

async fn description() -> Value {
    let answer = get(&service(), "/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    serde_json::from_str(&answer.body).unwrap()
}

/// The parameters of a path by name: whether each is required, and its schema.
fn parameters(description: &Value, path: &str, place: &str) -> BTreeMap<String, (bool, Value)> {
    let parameters = description["paths"][path]["get"]["parameters"]
        .as_array()
        .unwrap();
    let of_place = parameters.iter().filter(|parameter| parameter["in"] == place);
    of_place
        .map(|parameter| {
            assert!(
                !parameter["description"].as_str().unwrap().is_empty(),
                "{parameter}"
            );
            let name = parameter["name"].as_str().unwrap().to_owned();
            let required = parameter["required"].as_bool().unwrap();
            (name, (required, parameter["schema"].clone()))
        })
        .collect()
}

fn expected<const N: usize>(parameters: [(&str, bool, Value); N]) -> BTreeMap<String, (bool, Value)> {
    parameters
        .into_iter()
        .map(|(name, required, schema)| (name.to_owned(), (required, schema)))
        .collect()
}

#[tokio::test]
async fn every_route_is_described_under_the_name_that_the_page_of_reference_gives_it() {
    let description = description().await;
    let paths = description["paths"].as_object().unwrap();
    let operations: BTreeMap<_, _> = paths
        .iter()
        .map(|(path, item)| (path.as_str(), item["get"]["operationId"].as_str().unwrap()))
        .collect();
    let all = [
        (TRANSCRIPTS, "ai_analytics_orgs_users_transcripts_list"),
        (USAGE, "ai_analytics_orgs_users_usage_summary_list"),
        (COHORTS, "ai_analytics_orgs_users_user_cohorts_over_time_retrieve"),
        (MENTORS, "ai_analytics_orgs_users_mentors_list"),
        (TOPICS, "ai_analytics_orgs_users_topics_list"),
        (MESSAGES, "ai_analytics_orgs_users_conversations_messages_list"),
        (PIPELINE, "ai_analytics_orgs_users_pipeline_retrieve"),
        ("/schemas/", "schemas_list"),
        ("/schemas/{file}", "schemas_retrieve"),
        ("/healthz", "healthz"),
        ("/readyz", "readyz"),
        ("/metrics", "metrics"),
    ];
    assert_eq!(operations, all.into());
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["servers"], json!([{"url": "/dm"}, {"url": "/"}]));
    let schemes = &description["components"]["securitySchemes"];
    assert_eq!(schemes["PlatformApiKeyAuthentication"]["in"], "header");
    assert_eq!(schemes["PlatformApiKeyAuthentication"]["name"], "Authorization");
    for path in [TRANSCRIPTS, USAGE, COHORTS, MENTORS, TOPICS, MESSAGES, PIPELINE] {
        let security = &paths[path]["get"]["security"];
        assert_eq!(*security, json!([{"PlatformApiKeyAuthentication": []}]), "{path}");
    }
}

#[tokio::test]
async fn each_route_is_described_where_it_is_served() {
    let service = service();
    let description = description().await;
    for (path, item) in description["paths"].as_object().unwrap() {
        let servers = item.get("servers").unwrap_or(&description["servers"]);
        for server in servers.as_array().unwrap() {
            let base = server["url"].as_str().unwrap().trim_end_matches('/');
            let path = path.replace("{org}", "globex");
            let path = path.replace("{file}", "chat.message.created.v1.json");
            let answer = get(&service, &format!("{base}{path}")).await;
            // The key is of another organisation, which is found out before the store is asked.
            let expected = if path.contains("globex") { 403 } else { 200 };
            assert_eq!(answer.status.as_u16(), expected, "{base}{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn parameters_are_described_as_they_are_read() {
    let description = description().await;
    let date = || json!({"type": "string", "format": "date"});
    let grains =
        |default: &str, words: [&str; 8]| json!({"type": "string", "default": default, "enum": words});
    assert_eq!(
        parameters(&description, TRANSCRIPTS, "query"),
        expected([
            ("start_date", false, date()),
            ("end_date", false, date()),
            ("mentor", false, json!({"type": "string"})),
            ("topics", false, json!({"type": "string"})),
            // Without a default: some clients would send it, and get a page for the whole list.
            ("page", false, json!({"type": "integer", "minimum": 1})),
            (
                "page_size",
                false,
                json!({"type": "integer", "minimum": 1, "maximum": 1000})
            ),
            ("cursor", false, json!({"type": "string"})),
            (
                "export",
                false,
                json!({"type": "string", "default": "json", "enum": ["json", "csv"]})
            ),
        ])
    );
    assert_eq!(
        parameters(&description, USAGE, "query"),
        expected([
            ("start_date", true, date()),
            ("end_date", true, date()),
            (
                "group_by",
                false,
                grains(
                    "day",
                    [
                        "day", "hour", "week", "month", "daily", "hourly", "weekly", "monthly"
                    ]
                )
            ),
            (
                "export",
                false,
                json!({"type": "string", "default": "json", "enum": ["json", "csv"]})
            ),
        ])
    );
    assert_eq!(
        parameters(&description, COHORTS, "query"),
        expected([
            ("start_date", true, date()),
            ("end_date", true, date()),
            (
                "aggregation",
                false,
                grains(
                    "daily",
                    [
                        "daily", "hourly", "weekly", "monthly", "day", "hour", "week", "month"
                    ]
                )
            ),
            (
                "new_users_by",
                false,
                json!({"type": "string", "default": "registration", "enum": ["registration", "activity"]})
            ),
            ("mentor_id", false, json!({"type": "string"})),
            (
                "export",
                false,
                json!({"type": "string", "default": "json", "enum": ["json", "csv"]})
            ),
        ])
    );
    for path in [MENTORS, TOPICS] {
        let days = expected([
            ("start_date", false, date()),
            ("end_date", false, date()),
            (
                "export",
                false,
                json!({"type": "string", "default": "json", "enum": ["json", "csv"]}),
            ),
        ]);
        assert_eq!(parameters(&description, path, "query"), days, "{path}");
    }
    for path in [TRANSCRIPTS, USAGE, COHORTS, MENTORS, TOPICS, MESSAGES, PIPELINE] {
        let in_path = parameters(&description, path, "path");
        let names: Vec<_> = in_path.keys().map(String::as_str).collect();
        let of_conversation = (path == MESSAGES).then_some("id").into_iter();
        assert_eq!(
            names,
            of_conversation.chain(["org", "user_id"]).collect::<Vec<_>>(),
            "{path}"
        );
        assert!(in_path.values().all(|(required, _)| *required), "{path}");
    }
}

#[tokio::test]
async fn every_error_is_described_with_its_body() {
    let description = description().await;
    for path in [TRANSCRIPTS, USAGE, COHORTS, MENTORS, TOPICS, MESSAGES, PIPELINE] {
        let responses = description["paths"][path]["get"]["responses"]
            .as_object()
            .unwrap();
        let statuses: Vec<_> = responses.keys().map(String::as_str).collect();
        assert_eq!(
            statuses,
            ["200", "400", "401", "403", "404", "429", "503"],
            "{path}"
        );
        for (status, response) in responses.iter().filter(|(status, _)| *status != "200") {
            for content_type in ["application/json", "application/problem+json"] {
                let schema = &response["content"][content_type]["schema"];
                assert_eq!(
                    *schema,
                    json!({"$ref": "#/components/schemas/ErrorBody"}),
                    "{path} {status}"
                );
                let example = &response["content"][content_type]["example"]["detail"];
                assert!(
                    example.as_str().is_some_and(|detail| !detail.is_empty()),
                    "{path} {status}"
                );
            }
        }
        for status in ["429", "503"] {
            assert!(
                responses[status]["headers"]["Retry-After"].is_object(),
                "{path} {status}"
            );
        }
    }
    let body = &description["components"]["schemas"]["ErrorBody"];
    assert_eq!(body["required"], json!(["detail"]));
    assert_eq!(body["properties"]["detail"]["type"], "string");
}

#[tokio::test]
async fn the_bodies_of_answers_are_described_with_every_field_required() {
    let description = description().await;
    let schemas = &description["components"]["schemas"];
    let body = |path: &str| {
        &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    };
    for (path, name) in [
        (TRANSCRIPTS, "Transcript"),
        (USAGE, "UsageCount"),
        (MENTORS, "MentorCount"),
        (TOPICS, "TopicCount"),
        (MESSAGES, "Message"),
    ] {
        let list = json!({"type": "array", "items": {"$ref": format!("#/components/schemas/{name}")}});
        assert_eq!(*body(path), list);
    }
    assert_eq!(*body(PIPELINE), json!({"$ref": "#/components/schemas/Pipeline"}));
    assert_eq!(*body(COHORTS), json!({"$ref": "#/components/schemas/Cohorts"}));
    for path in [TRANSCRIPTS, USAGE, COHORTS, MENTORS, TOPICS, MESSAGES, PIPELINE] {
        let content = &description["paths"][path]["get"]["responses"]["200"]["content"];
        assert!(!content["application/json"]["example"].is_null(), "{path}");
        let has_csv = ![MESSAGES, PIPELINE].contains(&path);
        assert_eq!(content["text/csv"]["example"].is_string(), has_csv, "{path}");
    }
    for (name, fields) in [
        (
            "Transcript",
            "first_message id inserted_at message_count model topics user_id user_sentiment",
        ),
        ("TopicModel", "name"),
        ("MentorCount", "conversation_count mentor_id"),
        ("TopicCount", "conversation_count name"),
        ("Message", "content created_at id mentor_id model role user_id"),
        ("UsageCount", "date user_count"),
        ("Cohorts", "new_users periods veteran_users"),
    ] {
        let texts = |value: &Value| -> BTreeSet<String> {
            let items = value.as_array().unwrap().iter();
            items.map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let fields: BTreeSet<_> = fields.split(' ').map(str::to_owned).collect();
        assert_eq!(texts(&schemas[name]["required"]), fields, "{name}");
        let properties = schemas[name]["properties"].as_object().unwrap();
        assert_eq!(
            properties.keys().cloned().collect::<BTreeSet<_>>(),
            fields,
            "{name}"
        );
    }
    let transcript = &schemas["Transcript"]["properties"];
    assert_eq!(transcript["id"]["format"], "uuid");
    assert_eq!(transcript["inserted_at"]["format"], "date-time");
    assert_eq!(schemas["TopicModel"]["properties"]["name"]["maxLength"], 255);
    assert_eq!(
        schemas["Cohorts"]["properties"]["periods"]["items"]["format"],
        "date-time"
    );
    // A day or an instant: a format would have generators make it one of these.
    let date = &schemas["UsageCount"]["properties"]["date"];
    assert_eq!((&date["type"], &date["format"]), (&json!("string"), &Value::Null));
    for counted in ["message_count", "first_message", "user_sentiment"] {
        assert_eq!(transcript[counted]["readOnly"], Value::Null, "{counted}");
    }
}

#[tokio::test]
async fn whatever_is_referred_to_is_there() {
    let description = description().await;
    let text = description.to_string();
    let references: BTreeSet<_> = text
        .split(r##""$ref":"#"##)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(references.len() >= 5, "{references:?}");
    for reference in references {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_dashboard_is_served_at_the_root_and_below_the_prefix() {
    let service = service();
    for base in ["/", "/dm/"] {
        let page = get(&service, base).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let attributes = page.body.split('"').collect::<Vec<_>>();
        let links = attributes
            .windows(2)
            .filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="))
            .map(|pair| pair[1])
            .filter(|link| !link.starts_with("data:"));
        let mut files = vec![base.to_owned()];
        for link in links {
            let name = link.strip_prefix("./").expect("an address that is relative");
            files.push(format!("{base}{name}"));
        }
        assert_eq!(files.len(), 3);
        for path in files {
            let file = get(&service, &path).await;
            assert_eq!(
                (file.status.as_u16(), file.body.is_empty()),
                (200, false),
                "{path}"
            );
            assert!(
                file.header("content-security-policy")
                    .starts_with("default-src 'none'; ")
            );
            let request = Request::get(&path).header("if-none-match", file.header("etag"));
            let again = send(&service, request.body(Body::empty()).unwrap()).await;
            assert_eq!(again.status.as_u16(), 304, "{path}");
        }
    }
}

#[tokio::test]
async fn the_schemas_of_events_are_served_at_the_root_and_below_the_prefix() {
    let service = service();
    for base in ["/schemas/", "/dm/schemas/"] {
        let list: Vec<String> = serde_json::from_str(&get(&service, base).await.body).unwrap();
        assert_eq!(list.len(), 4);
        for file in list {
            let schema = get(&service, &format!("{base}{file}")).await;
            assert_eq!(schema.header("content-type"), "application/schema+json");
            let schema: Value = serde_json::from_str(&schema.body).unwrap();
            assert_eq!(format!("{}.json", schema["title"].as_str().unwrap()), file);
        }
        let unknown = get(&service, &format!("{base}chat.message.created.v2.json")).await;
        assert_eq!(unknown.status.as_u16(), 404);
    }
}

#[tokio::test]
async fn the_page_needs_no_other_server() {
    let service = service();
    for (path, to) in [
        ("/dm", "dm/"),
        ("/docs", "docs/"),
        ("/dm/docs", "docs/"),
        ("/schemas", "schemas/"),
    ] {
        let answer = get(&service, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (307, to),
            "{path}"
        );
    }
    for base in ["/docs/", "/dm/docs/"] {
        let page = get(&service, base).await;
        assert_eq!(page.header("content-type"), "text/html");
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'; ")
        );
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(page.header(header), value);
        }
        let attributes = page.body.split(['"', '\'']).collect::<Vec<_>>();
        let links: Vec<_> = attributes
            .windows(2)
            .filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="))
            .map(|pair| pair[1].trim_start_matches("./"))
            .collect();
        assert!(links.len() >= 5, "{links:?}");
        for link in links {
            assert!(!link.contains("//"), "{link}");
            let file = get(&service, &format!("{base}{link}")).await;
            assert_eq!(file.status.as_u16(), 200, "{link}");
            assert!(!file.body.is_empty(), "{link}");
        }
        let script = get(&service, &format!("{base}swagger-initializer.js")).await.body;
        assert!(script.contains(r#""../openapi.json""#), "{script}");
        assert!(script.contains(r#""validatorUrl": "none""#), "{script}");
        // The key is forgotten with the page.
        assert!(!script.contains("persistAuthorization"), "{script}");
        assert!(!script.contains("http"), "{script}");
    }
}
