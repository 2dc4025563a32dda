//! API keys, and the organisations that each opens.

use std::{collections::BTreeSet, fmt};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// The schemes that a key may follow in `Authorization`, in lower case; it may also be bare.
const SCHEMES: [&str; 4] = ["api-token", "api-key", "token", "bearer"];

/// The API keys that open the endpoints.
///
/// As text: `KEY=org1,org2;KEY2=*`, where `*` stands for every organisation. A key is of visible ASCII without
/// `;`; it may hold `=`. Keys are never shown, neither by `Debug` nor in an error.
#[derive(Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Keys(Vec<Key>);

/// The organisations that a key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every organisation, also those that do not exist yet.
    All,
    /// These.
    Orgs(BTreeSet<String>),
}

/// A text is not a list of keys. Entries are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No `=` separates the key from its organisations.
    #[error("entry {0} of the keys has no `=`: write KEY=org1,org2 or KEY=*")]
    NoScope(usize),
    /// The key is empty, or has characters that `Authorization` cannot carry.
    #[error("entry {0} of the keys must begin with a key of visible ASCII characters without `;`")]
    BadKey(usize),
    /// After the `=` is nothing, or something that is not the name of an organisation.
    #[error("entry {0} of the keys must name organisations (1 to 64 of [A-Za-z0-9._-] each) or be `*`")]
    BadScope(usize),
    /// An earlier entry has the same key.
    #[error("entry {0} of the keys repeats the key of an earlier entry")]
    Repeated(usize),
}

#[derive(Clone)]
struct Key {
    text: String,
    scope: Scope,
}

impl Keys {
    /// Adds a key. An error counts it as the entry after those that are there already.
    pub fn add(&mut self, key: &str, scope: Scope) -> Result<(), KeysError> {
        let entry = self.0.len() + 1;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
            return Err(KeysError::BadKey(entry));
        }
        if let Scope::Orgs(orgs) = &scope
            && (orgs.is_empty() || !orgs.iter().all(|org| is_org(org)))
        {
            return Err(KeysError::BadScope(entry));
        }
        if self.find(key.as_bytes()).is_some() {
            return Err(KeysError::Repeated(entry));
        }
        self.0.push(Key {
            text: key.to_owned(),
            scope,
        });
        Ok(())
    }

    /// Whether there is no key, so that nothing is opened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The position of a key, and what it opens; `None` for one that is not known. Every key is compared, each in a time
    /// that does not depend on how much of it agrees.
    pub(crate) fn find(&self, given: &[u8]) -> Option<(usize, &Scope)> {
        let mut found = None;
        for (position, key) in self.0.iter().enumerate() {
            if bool::from(key.text.as_bytes().ct_eq(given)) {
                found = Some((position, &key.scope));
            }
        }
        found
    }
}

impl Scope {
    /// The organisations of these names; `*` alone stands for all.
    pub fn of(names: Vec<String>) -> Self {
        match names.as_slice() {
            [all] if all == "*" => Self::All,
            _ => Self::Orgs(names.into_iter().collect()),
        }
    }

    /// Whether the organisation is among them; it need not exist.
    pub fn opens(&self, org: &str) -> bool {
        match self {
            Self::All => true,
            Self::Orgs(orgs) => orgs.contains(org),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.scope))
            .finish()
    }
}

impl TryFrom<String> for Keys {
    type Error = KeysError;

    fn try_from(text: String) -> Result<Self, KeysError> {
        let mut keys = Self::default();
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (key, orgs) = entry
                .rsplit_once('=')
                .ok_or(KeysError::NoScope(keys.0.len() + 1))?;
            let orgs = orgs.split(',').map(|org| org.trim().to_owned());
            keys.add(key.trim(), Scope::of(orgs.collect()))?;
        }
        Ok(keys)
    }
}

/// Whether a text can name an organisation: 1 to 64 of `[A-Za-z0-9._-]`.
pub fn is_org(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The key that a request carries, as `SCHEME KEY` or bare; `None` where there is none, more than one, or
/// something that is no key.
pub(crate) fn given_key(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let text = value.to_str().ok()?.trim();
    let key = match text.split_once([' ', '\t']) {
        None => text,
        Some((scheme, key)) if SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) => key.trim(),
        Some(_) => return None,
    };
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn keys(text: &str) -> Result<Keys, KeysError> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_key_opens_one_organisation_or_several_or_all() {
        let known = keys("one=acme; several = acme , b.c-d_e ;all==*;").unwrap();
        let opens = |key: &str, org: &str| known.find(key.as_bytes()).map(|(_, scope)| scope.opens(org));
        assert_eq!(opens("one", "acme"), Some(true));
        assert_eq!(opens("one", "b.c-d_e"), Some(false));
        assert_eq!(opens("several", "b.c-d_e"), Some(true));
        assert_eq!(opens("several", "Acme"), Some(false));
        assert_eq!(opens("all=", "anything"), Some(true));
        assert_eq!(opens("all", "anything"), None);
        assert_eq!(opens("", "acme"), None);
        assert!(keys("").unwrap().is_empty());
    }

    #[test]
    fn a_bad_entry_is_named_by_its_place_and_never_by_its_key() {
        for (text, error) in [
            ("secret", KeysError::NoScope(1)),
            ("a=*;secret", KeysError::NoScope(2)),
            ("=acme", KeysError::BadKey(1)),
            ("se cret=acme", KeysError::BadKey(1)),
            ("s\u{e9}cret=acme", KeysError::BadKey(1)),
            ("secret=", KeysError::BadScope(1)),
            ("secret=acme,", KeysError::BadScope(1)),
            ("secret=acme,*", KeysError::BadScope(1)),
            ("secret=ac me", KeysError::BadScope(1)),
            ("secret=acme;b=*;secret=*", KeysError::Repeated(3)),
        ] {
            let found = keys(text).unwrap_err();
            assert_eq!(found, error, "{text}");
            assert!(!found.to_string().contains("secret"), "{found}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = keys("secret=acme;secret2=*");
        assert_eq!(format!("{:?}", keys.unwrap()), r#"[Orgs({"acme"}), All]"#);
    }

    #[test]
    fn a_key_is_read_after_each_scheme_and_bare() {
        for (header, key) in [
            ("Api-Token k=1", Some("k=1")),
            ("Api-Key k", Some("k")),
            ("Token k", Some("k")),
            ("Bearer k", Some("k")),
            ("BEARER   k ", Some("k")),
            ("api-token\tk", Some("k")),
            ("k", Some("k")),
            ("Bearer", Some("Bearer")),
            ("", None),
            ("Basic k", None),
            ("Bearer a b", Some("a b")),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
            assert_eq!(given_key(&headers), key, "{header}");
        }
        let garbage = HeaderValue::from_bytes(b"Bearer k\xff").unwrap();
        assert_eq!(given_key(&HeaderMap::from_iter([(AUTHORIZATION, garbage)])), None);
        assert_eq!(given_key(&HeaderMap::new()), None);
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_static("k"));
        twice.append(AUTHORIZATION, HeaderValue::from_static("k"));
        assert_eq!(given_key(&twice), None);
    }
}
