//! The router over a store that nobody reaches.

use std::{future::ready, time::Duration};

use aggregator::Store;
use axum::{Router, body::Body, http::Request};
use query::{Check, Settings, StoredKeys};

pub(crate) use crate::http::{ACME_KEY, ALL_KEY, Answer, send};

/// The address of an endpoint of acme, to which an endpoint and a query are added.
pub(crate) const ACME: &str = "/api/ai-analytics/orgs/acme/users/u";

impl Answer {
    /// The status, and `detail` of the body.
    pub(crate) fn error(&self) -> (u16, String) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        (self.status.as_u16(), body["detail"].as_str().unwrap().to_owned())
    }
}

/// acme is configured; ghost and globex, which have keys too, are not.
pub(crate) fn settings() -> Settings {
    Settings {
        prefix: "/dm".to_owned().try_into().unwrap(),
        keys: format!("{ACME_KEY}=acme;both-key=acme,globex;{ALL_KEY}=*;ghost-key=ghost")
            .try_into()
            .unwrap(),
        orgs: ["acme".to_owned()].into(),
        query_timeout: Duration::from_secs(20),
        ..Settings::default()
    }
}

/// A store at an address where nothing listens.
pub(crate) fn unreachable_store() -> Store {
    Store::new(&aggregator::Settings {
        url: "http://127.0.0.1:1".to_owned(),
        ..aggregator::Settings::default()
    })
}

/// The service, ready by its own account.
pub(crate) fn service() -> Router {
    let check = Check::new("clickhouse", || ready(Ok(())));
    query::router(
        settings(),
        StoredKeys::default(),
        unreachable_store(),
        vec![check],
        || "a_metric 1\n".to_owned(),
    )
}

/// Gets a path with the key of acme.
pub(crate) async fn get(service: &Router, path: &str) -> Answer {
    let request = Request::get(path)
        .header("authorization", format!("Api-Token {ACME_KEY}"))
        .body(Body::empty())
        .unwrap();
    send(service, request).await
}
