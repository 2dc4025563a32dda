//! Answers compared with the description that is served: the status, the type of the content, the body, and the headers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use query::Prefix;
use serde_json::{Value, json};

use crate::http::Answer;

/// As it is served at `/openapi.json`; a prefix changes its servers alone.
static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(query::openapi(&Prefix::default())).unwrap());
/// By the pointer to each schema.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// The answer to a request that is none of HTTP/1.1.
const NO_HOST: &str = r#"{"detail":"the request must have one Host header"}"#;

/// Panics if an answer to `GET` is not as it is described for its path; does nothing if the path is not described.
pub(crate) fn assert_described(path: &str, answer: &Answer) {
    let status = answer.status.as_u16();
    // What HTTP itself has answers for, descriptions leave out: not modified, moved, another method, and a request without a host.
    let is_of_http = [304, 307, 405].contains(&status) || answer.body == NO_HOST;
    let Some(template) = template_of(path).filter(|_| !is_of_http) else {
        return;
    };
    let responses = format!("/paths/{}/get/responses", escaped(&template));
    let response = format!("{responses}/{status}");
    let described = DESCRIPTION.pointer(&response);
    let described = described.unwrap_or_else(|| panic!("{template}: {status} is not described"));
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let value = answer.header(name);
        if !value.is_empty() && header["schema"]["type"] == "integer" {
            assert!(
                value.parse::<u64>().is_ok(),
                "{template} {status}: {name}: {value}"
            );
        }
    }
    let content_type = answer.header("content-type").split(';').next().unwrap();
    let schema = format!("{response}/content/{}/schema", escaped(content_type));
    assert!(
        DESCRIPTION.pointer(&schema).is_some(),
        "{template} {status}: {content_type:?} is not described"
    );
    let body = if content_type.ends_with("json") {
        serde_json::from_str(&answer.body).unwrap()
    } else {
        Value::from(answer.body.as_str())
    };
    assert_valid(schema, &body);
}

fn assert_valid(schema: String, body: &Value) {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = match validators.entry(schema) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => {
            let mut schema = DESCRIPTION.pointer(unknown.key()).unwrap().clone();
            schema["components"] = DESCRIPTION["components"].clone();
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            unknown.insert(options.build(&schema).unwrap())
        }
    };
    let errors: Vec<_> = validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect();
    drop(validators);
    assert!(errors.is_empty(), "{errors:?}: {body}");
}

/// The described path that a path is of, with or without its closing slash. The routes for operators have no prefix.
fn template_of(path: &str) -> Option<String> {
    let unprefixed = path.strip_prefix("/dm").filter(|rest| rest.starts_with("/api/"));
    let path = unprefixed.unwrap_or(path).trim_end_matches('/');
    let segments: Vec<_> = path.split('/').collect();
    let mut templates = DESCRIPTION["paths"].as_object().unwrap().keys();
    let found = templates.find(|template| {
        let expected: Vec<_> = template.trim_end_matches('/').split('/').collect();
        let mut pairs = expected.iter().zip(&segments);
        expected.len() == segments.len()
            && pairs.all(|(expected, found)| expected.starts_with('{') || expected == found)
    });
    found.cloned()
}

/// A key as a step of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[test]
#[should_panic(expected = "is not of type")]
fn an_answer_that_is_not_as_described_is_found() {
    let schema = "/components/schemas/UsageCount".to_owned();
    assert_valid(schema, &json!({"date": "2024-01-01", "user_count": "1"}));
}
