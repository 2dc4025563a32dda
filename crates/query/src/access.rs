//! Which organisation a request may ask about, checked before anything else of it.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    app::{App, Asked},
    error::Error,
    keys::{given_key, is_org},
};

/// Extracts the organisation that a request asks about, once its key opens it and it exists.
pub(crate) struct Org {
    pub(crate) name: String,
    pub(crate) asked: Asked,
}

impl FromRequestParts<Arc<App>> for Org {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut request::Parts, app: &Arc<App>) -> Result<Self, Error> {
        let key = given_key(&parts.headers).ok_or(Error::KeyMissing)?;
        let name = asked_org(parts.uri.path());
        let asked = app.ask(app.account(key, &name)?)?;
        if !is_org(&name) || !app.org_exists(&name, &asked).await? {
            return Err(Error::NoSuchOrg);
        }
        Ok(Self { name, asked })
    }
}

/// What stands before the organisation in every path that asks about one; a prefix may have it, too.
const ORGS: &str = "/api/ai-analytics/orgs/";

/// The organisation in `…/orgs/{org}/users/{user_id}/…`.
///
/// It is read here and not by the router's extractor because that refuses a whole path whose `user_id` is not
/// UTF-8, although nothing depends on the `user_id`. What cannot be decoded becomes a name that no organisation
/// can have.
fn asked_org(path: &str) -> String {
    let org = after_orgs(path).split('/').next().unwrap_or_default();
    percent_decode_str(org).decode_utf8_lossy().into_owned()
}

/// The conversation in `…/users/{user_id}/conversations/{id}/messages`, with or without a closing slash; none where that
/// is no UUID.
pub(crate) fn asked_conversation(path: &str) -> Option<Uuid> {
    after_orgs(path).split('/').nth(4)?.parse().ok()
}

fn after_orgs(path: &str) -> &str {
    path.rsplit_once(ORGS).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_organisation_is_read_from_the_path_whatever_the_user_is_called() {
        for (path, org) in [
            ("/api/ai-analytics/orgs/acme/users/u/transcripts", "acme"),
            ("/api/ai-analytics/orgs/acme/users/u/transcripts/", "acme"),
            (
                "/dm/api/ai-analytics/orgs/a%63me/users/%ff%2F/usage-summary/",
                "acme",
            ),
            ("/api/ai-analytics/orgs/a%2Fb/users/orgs/transcripts", "a/b"),
            ("/api/ai-analytics/orgs/%ff/users/u/transcripts", "\u{fffd}"),
            (
                "/api/ai-analytics/orgs/other/users/u/api/ai-analytics/orgs/acme/users/u/transcripts",
                "acme",
            ),
            (
                "/api/ai-analytics/orgs/acme/users/u/conversations/x/messages/",
                "acme",
            ),
        ] {
            assert_eq!(asked_org(path), org, "{path}");
        }
    }

    #[test]
    fn a_conversation_is_a_uuid() {
        let id = Uuid::from_u128(0xff);
        for (asked, found) in [
            (id.to_string(), Some(id)),
            ("x".to_owned(), None),
            (String::new(), None),
        ] {
            for end in ["", "/"] {
                let path =
                    format!("/dm/api/ai-analytics/orgs/acme/users/u/conversations/{asked}/messages{end}");
                assert_eq!(asked_conversation(&path), found, "{path}");
            }
        }
    }
}
