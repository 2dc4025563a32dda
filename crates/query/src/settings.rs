//! The settings of the service.

use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde::Deserialize;

use crate::{cors::Origins, keys::Keys};

/// The settings of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A path prefix that the routes are served under, in addition to being served without it. Default: none.
    pub prefix: Prefix,
    /// The origins whose pages may read answers. Default: none.
    pub cors_origins: Origins,
    /// The API keys, and the organisations that each opens. Default: none, so that every request is refused.
    pub keys: Keys,
    /// Organisations that exist even before any event of theirs has arrived. Default: none.
    pub orgs: BTreeSet<String>,
    /// How long a request may take, whatever queries of the store it needs, or the next chunk of a streamed list; the
    /// wait for a free slot included. Default: 30 s.
    pub query_timeout: Duration,
    /// The maximum number of requests that the store works for at the same time; more wait, and keys take turns. Default: 32.
    pub concurrent_queries: NonZeroUsize,
    /// The same of streamed lists, besides; a list takes a turn for each chunk. Default: 1.
    pub concurrent_lists: NonZeroUsize,
    /// The maximum number of requests of a key that are not answered yet, waiting or not; more are refused. Default: 256.
    pub requests_per_key: NonZeroUsize,
    /// The maximum number of requests with a key in a second; more are refused. Default: 1,000; 0: any number.
    pub requests_per_second: u32,
    /// How many of them may come at once after a pause. Default: 1,000.
    pub burst: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            cors_origins: Origins::default(),
            keys: Keys::default(),
            orgs: BTreeSet::new(),
            query_timeout: Duration::from_secs(30),
            concurrent_queries: NonZeroUsize::MIN.saturating_add(31),
            concurrent_lists: NonZeroUsize::MIN,
            requests_per_key: NonZeroUsize::MIN.saturating_add(255),
            requests_per_second: 1_000,
            burst: NonZeroU32::MIN.saturating_add(999),
        }
    }
}

/// A path that routes are served under: empty, or as `/dm` or `/data/manager`, without a closing slash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix(String);

/// A text is not a prefix of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It does not begin with a slash.
    #[error("the prefix {0:?} must begin with a slash, as in /dm")]
    NoSlash(String),
    /// A part between slashes is empty, a dot or two, or has other characters than `[A-Za-z0-9._~-]`.
    #[error("the prefix {0:?} must be made of parts of [A-Za-z0-9._~-], as in /dm")]
    BadPart(String),
}

impl Prefix {
    /// The prefix, empty or beginning with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    /// Reads a prefix; closing slashes are dropped, so that `/` is the empty prefix.
    fn try_from(text: String) -> Result<Self, PrefixError> {
        let path = text.trim_end_matches('/');
        let Some(parts) = path.strip_prefix('/') else {
            return if path.is_empty() {
                Ok(Self::default())
            } else {
                Err(PrefixError::NoSlash(text))
            };
        };
        let fits = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte))
        };
        if parts.split('/').all(fits) {
            Ok(Self(path.to_owned()))
        } else {
            Err(PrefixError::BadPart(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Result<Prefix, PrefixError> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_prefix_is_a_path_without_a_closing_slash() {
        for (text, path) in [
            ("", ""),
            ("/", ""),
            ("/dm", "/dm"),
            ("/dm/", "/dm"),
            ("/a/b-c.d", "/a/b-c.d"),
        ] {
            assert_eq!(prefix(text).unwrap().as_str(), path, "{text}");
        }
        assert_eq!(prefix("dm"), Err(PrefixError::NoSlash("dm".to_owned())));
        for text in ["//dm", "/a//b", "/a/../b", "/.", "/{org}", "/d m", "/ü", "/a?b"] {
            assert_eq!(prefix(text), Err(PrefixError::BadPart(text.to_owned())), "{text}");
        }
    }
}
