//! Who is refused, and in which order: 401, 403, 404, 400.

use axum::{
    body::Body,
    http::{HeaderValue, Request},
};

use crate::service::{ACME, ALL_KEY, Answer, send, service};

const NO_KEY: &str = "Authorization must carry an API key, as in `Api-Token KEY`";
const BAD_KEY: &str = "the API key in Authorization is not valid";
const OTHER_ORG: &str = "the API key does not open this org";
const NO_ORG: &str = "org does not exist";
/// That a request got as far as its parameters.
const NO_START: &str = "start_date is required";
const UNAVAILABLE: &str = "the analytics store is not available at the moment";

async fn ask(path: &str, authorization: &[&[u8]], accept: &str) -> Answer {
    let mut request = Request::get(path).header("accept", accept);
    for value in authorization {
        request = request.header("authorization", HeaderValue::from_bytes(value).unwrap());
    }
    send(&service(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_key_opens_in_each_of_its_spellings_and_nothing_else_does() {
    #[rustfmt::skip]
    let cases: [(&[&[u8]], u16, &str); 19] = [
        (&[b"Api-Token acme-key"], 400, NO_START),
        (&[b"Api-Key acme-key"], 400, NO_START),
        (&[b"Token acme-key"], 400, NO_START),
        (&[b"Bearer acme-key"], 400, NO_START),
        (&[b"acme-key"], 400, NO_START),
        (&[b"bEARER \t acme-key "], 400, NO_START),
        (&[b"both-key"], 400, NO_START),
        (&[b"Token all=key=="], 400, NO_START),
        (&[], 401, NO_KEY),
        (&[b""], 401, NO_KEY),
        (&[b"Basic YWNtZS1rZXk6"], 401, NO_KEY),
        (&[b"Bearer\xa0acme-key"], 401, NO_KEY),
        (&[b"acme-key", b"acme-key"], 401, NO_KEY),
        (&[b"Bearer"], 401, BAD_KEY),
        (&[b"acme-ke"], 401, BAD_KEY),
        (&[b"acme-key-"], 401, BAD_KEY),
        (&[b"ACME-KEY"], 401, BAD_KEY),
        (&[b"Bearer acme-key acme-key"], 401, BAD_KEY),
        (&[b"Bearer Bearer acme-key"], 401, BAD_KEY),
    ];
    for (authorization, status, detail) in cases {
        let answer = ask(&format!("{ACME}/usage-summary/"), authorization, "*/*").await;
        assert_eq!(answer.error(), (status, detail.to_owned()), "{authorization:?}");
        let challenge = if status == 401 { "Api-Token" } else { "" };
        assert_eq!(answer.header("www-authenticate"), challenge, "{authorization:?}");
    }
}

#[tokio::test]
async fn the_key_is_settled_before_the_organisation_and_that_before_the_parameters() {
    let orgs = "/api/ai-analytics/orgs";
    let long = format!("{orgs}/{}/users/u/transcripts?page=0", "a".repeat(65));
    #[rustfmt::skip]
    let cases = [
        (format!("{ACME}/transcripts?page=0"), "nobody's", 401, BAD_KEY),
        (format!("{orgs}/nowhere/users/u/transcripts?page=0"), "nobody's", 401, BAD_KEY),
        (format!("{orgs}/a%2Fb/users/u/transcripts?page=0"), "nobody's", 401, BAD_KEY),
        // Whether globex exists, which only the store knows, is not revealed.
        (format!("{orgs}/globex/users/u/transcripts?page=0"), "acme-key", 403, OTHER_ORG),
        (format!("{orgs}/nowhere/users/u/transcripts?page=0"), "acme-key", 403, OTHER_ORG),
        (format!("{orgs}/ACME/users/u/transcripts"), "acme-key", 403, OTHER_ORG),
        (format!("{orgs}/acme%20/users/u/transcripts"), "acme-key", 403, OTHER_ORG),
        (format!("{orgs}/%00/users/u/transcripts"), "acme-key", 403, OTHER_ORG),
        (format!("{orgs}/acme/users/u/transcripts"), "ghost-key", 403, OTHER_ORG),
        // No organisation can be called so.
        (format!("{orgs}/a%2Fb/users/u/transcripts?page=0"), ALL_KEY, 404, NO_ORG),
        (format!("{orgs}/%ff/users/u/usage-summary/"), ALL_KEY, 404, NO_ORG),
        (format!("{orgs}/%00/users/u/user-cohorts-over-time"), ALL_KEY, 404, NO_ORG),
        (format!("{orgs}/a'b/users/u/transcripts?page=0"), ALL_KEY, 404, NO_ORG),
        (format!("{orgs}/%zz/users/u/transcripts?page=0"), ALL_KEY, 404, NO_ORG),
        (long, ALL_KEY, 404, NO_ORG),
        (format!("{orgs}//users/u/transcripts"), ALL_KEY, 404, NO_ORG),
        // Only the store knows these; it comes before the parameters.
        (format!("{orgs}/ghost/users/u/transcripts?page=0"), "ghost-key", 503, UNAVAILABLE),
        (format!("{orgs}/globex/users/u/transcripts?page=0"), "both-key", 503, UNAVAILABLE),
        // The user is anybody.
        (format!("{orgs}/acme/users//transcripts?page=0"), "acme-key", 400, "page must be a whole number from 1 up"),
        (format!("{orgs}/%61cme/users/%ff%00%2F/transcripts?page=0"), "acme-key", 400, "page must be a whole number from 1 up"),
    ];
    for (path, key, status, detail) in cases {
        for path in [path.clone(), format!("/dm{path}")] {
            let answer = ask(&path, &[format!("Api-Token {key}").as_bytes()], "*/*").await;
            assert_eq!(answer.error(), (status, detail.to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn every_error_is_a_problem_for_those_who_ask_for_one() {
    let nowhere = "/api/ai-analytics/orgs/nowhere/users/u/transcripts";
    #[rustfmt::skip]
    let cases = [
        (format!("{ACME}/transcripts"), "x", 401, BAD_KEY),
        (nowhere.to_owned(), "acme-key", 403, OTHER_ORG),
        (nowhere.replace("nowhere", "~"), ALL_KEY, 404, NO_ORG),
        (format!("{ACME}/usage-summary"), "acme-key", 400, NO_START),
        (format!("{ACME}/transcripts"), "acme-key", 503, UNAVAILABLE),
        ("/nowhere".to_owned(), "acme-key", 404, "no such path"),
    ];
    for (path, key, status, detail) in cases {
        for (accept, content_type) in [
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("application/problem+json;q=0, */*", "application/json"),
            ("text/html, application/problem+json", "application/problem+json"),
        ] {
            let answer = ask(&path, &[key.as_bytes()], accept).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            assert_eq!(answer.body, format!(r#"{{"detail":"{detail}"}}"#), "{path}");
            assert_eq!(answer.header("content-type"), content_type, "{path} {accept}");
        }
    }
}
