//! Who is to be forgotten, as ingestion knows it: what they said up to then is not inserted.
//!
//! A user is known by a keyed hash, so that what is kept does not say who is forgotten. The hash is SipHash-2-4 of 128 bits,
//! as ClickHouse's `sipHash128ReferenceKeyed` has it, so that both find the same.

use std::{collections::HashMap, hash::Hasher};

use clickhouse::Row;
use events::{Body, Event};
use serde::Deserialize;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{connection::Connection, error::Error};

/// Where it is kept who is to be forgotten.
pub(crate) const ERASURES_TABLE: &str = "erasures";
/// Where it is kept in which conversations they spoke, and in which of these nobody else did.
pub(crate) const ERASED_CONVERSATIONS_TABLE: &str = "erased_conversations";
/// Where the key of the hash is.
pub(crate) const ERASURE_KEYS_TABLE: &str = "erasure_keys";

/// A user by a keyed hash of organisation and user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ErasedUser(pub(crate) u128);

/// The key of the hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, Row, Deserialize)]
struct Key {
    k0: u64,
    k1: u64,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Who is to be forgotten, and up to when, in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(crate) struct Erasures {
    /// None where nothing was asked yet.
    key: Option<Key>,
    /// Another one after each insert of what follows.
    mark: u64,
    orgs: HashMap<String, OrgErasures>,
}

/// Of one organisation.
#[derive(Debug, Clone, Default)]
struct OrgErasures {
    users: HashMap<ErasedUser, i64>,
    /// Those in which nobody spoke but users who are forgotten.
    conversations: HashMap<u128, i64>,
}

/// That something of one who is forgotten has come again, or may have: it is not inserted, but an insert that died may have left
/// it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Returned {
    /// What the user said in the conversation.
    Messages(ErasedUser, u128),
    /// What the user said, wherever that is.
    Anything(ErasedUser),
    /// Registrations of the user.
    Registrations(ErasedUser),
    /// What names nobody in the conversation.
    Conversation(u128),
}

#[derive(Debug, Row, Deserialize)]
struct ErasureRow {
    org: String,
    of: String,
    id: u128,
    until: i64,
}

impl Erasures {
    /// The hash by which a user is known.
    pub(crate) fn user(&self, org: &str, user_id: &str) -> ErasedUser {
        let Key { k0, k1 } = self.key.unwrap_or_default();
        let mut hasher = SipHasher24::new_with_keys(k0, k1);
        for part in [org.as_bytes(), &[0], user_id.as_bytes()] {
            hasher.write(part);
        }
        ErasedUser(hasher.finish128().as_u128())
    }

    /// Whether these are others.
    pub(crate) const fn differ(&self, others: &Self) -> bool {
        self.mark != others.mark
    }

    /// What of one who is forgotten has come again with an event; none where the event is to be inserted.
    pub(crate) fn returned(&self, event: &Event<'_>) -> Option<Returned> {
        let of_org = self.orgs.get(&*event.org)?;
        let erased = |user_id: &str, at: i64| {
            let user = self.user(&event.org, user_id);
            of_org
                .users
                .get(&user)
                .is_some_and(|until| at <= *until)
                .then_some(user)
        };
        let alone = |id: u128, at: i64| of_org.conversations.get(&id).is_some_and(|until| at <= *until);
        match &event.body {
            Body::Message(message) => {
                let (id, at) = (message.conversation_id.as_u128(), event.time.as_millis());
                match message.user_id.as_deref() {
                    Some(user_id) => erased(user_id, at).map(|user| Returned::Messages(user, id)),
                    None => alone(id, at).then_some(Returned::Conversation(id)),
                }
            }
            Body::Annotation(annotation) => {
                let id = annotation.conversation_id.as_u128();
                alone(id, annotation.annotated_at.as_millis()).then_some(Returned::Conversation(id))
            }
            Body::Registration(registration) => {
                let at = registration.registered_at.as_millis();
                erased(&registration.user_id, at).map(Returned::Registrations)
            }
            Body::Erasure(_) => None,
        }
    }

    /// The organisations in which anybody is.
    pub(crate) fn orgs(&self) -> impl Iterator<Item = &str> {
        self.orgs.keys().map(String::as_str)
    }

    /// Whether a user is one of them.
    pub(crate) fn has_user(&self, org: &str, user: ErasedUser) -> bool {
        self.orgs
            .get(org)
            .is_some_and(|of_org| of_org.users.contains_key(&user))
    }

    /// Whether a conversation is one in which nobody else spoke.
    pub(crate) fn has_conversation(&self, org: &str, id: u128) -> bool {
        self.orgs
            .get(org)
            .is_some_and(|of_org| of_org.conversations.contains_key(&id))
    }
}

impl Connection {
    /// Who is to be forgotten, where that is another state than the given one.
    pub(crate) async fn erasures_since(&self, known: &Erasures) -> Result<Option<Erasures>, Error> {
        let settings = &self.settings;
        let mark = self.question(include_str!("../sql/erasures_mark.sql"));
        let mark = self.one::<u64>(mark).await?;
        let key = match known.key {
            Some(_) if mark == known.mark => return Ok(None),
            Some(key) => key,
            None => self.erasure_key().await?,
        };
        let mut erasures = Erasures {
            key: Some(key),
            mark,
            orgs: HashMap::new(),
        };
        // What was added since is found again with the next mark.
        let rows = self
            .question(include_str!("../sql/erasures.sql"))
            .param("erasures", settings.spread_over_shards(ERASURES_TABLE))
            .param(
                "conversations",
                settings.spread_over_shards(ERASED_CONVERSATIONS_TABLE),
            );
        for row in self.rows::<ErasureRow>(rows).await? {
            let of_org = erasures.orgs.entry(row.org).or_default();
            if row.of == "user" {
                of_org.users.insert(ErasedUser(row.id), row.until);
            } else {
                of_org.conversations.insert(row.id, row.until);
            }
        }
        Ok(Some(erasures))
    }

    async fn erasure_key(&self) -> Result<Key, Error> {
        let key = self
            .question(include_str!("../sql/erasure_key.sql"))
            .param("keys", self.settings.spread_over_shards(ERASURE_KEYS_TABLE));
        self.one(key).await
    }
}
