//! API keys that are made and revoked while the API runs.
//!
//! A key is a join, as a rollup is: a row creates it, another revokes it, and neither is ever changed. All of its instants are of
//! ClickHouse's clock, so that those of the machines that create keys and answer need not agree.

use std::{collections::HashMap, fmt, time::Duration};

use clickhouse::Row;
use events::Timestamp;
use serde::Deserialize;

use crate::{error::Error, store::Store};

/// Where keys are created and revoked.
const KEYS_TABLE: &str = "api_keys";
/// Where it is kept when keys were used last.
const USES_TABLE: &str = "api_key_uses";

/// The SHA-256 of a key. It is no secret: what it is of has 256 random bits and cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An API key, as far as it is kept: not the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The hash of the key.
    pub hash: KeyHash,
    /// Its name; of those that live each has another.
    pub name: String,
    /// The organisations that it opens; `*` alone stands for all.
    pub orgs: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ends; none where it does not by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When this was read.
    pub read_at: Timestamp,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Live,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl ApiKey {
    /// Whether it opened anything when it was read.
    pub fn state(&self) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= self.read_at) {
            KeyState::Expired
        } else {
            KeyState::Live
        }
    }

    /// How long it still lives after it was read; none where it does not end by itself.
    pub fn remaining(&self) -> Option<Duration> {
        let end = self.expires_at?.as_millis();
        let left = u64::try_from(end - self.read_at.as_millis()).unwrap_or_default();
        Some(Duration::from_millis(left))
    }
}

#[derive(Debug, Row, Deserialize)]
struct KeyRow {
    hash: [u8; 32],
    name: String,
    orgs: Vec<String>,
    created_at: i64,
    expires_at: i64,
    revoked_at: i64,
    now: i64,
}

#[derive(Debug, Row, Deserialize)]
struct UseRow {
    hash: [u8; 32],
    last_used_at: i64,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        let unless_none = |millis| (millis != 0).then(|| Timestamp::from_millis(millis));
        Self {
            hash: KeyHash(row.hash),
            name: row.name,
            orgs: row.orgs,
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: unless_none(row.expires_at),
            revoked_at: unless_none(row.revoked_at),
            read_at: Timestamp::from_millis(row.now),
        }
    }
}

impl Store {
    /// All keys, also those that open nothing any more, in the order in which they were created.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Error> {
        let keys = self
            .clickhouse
            .question(include_str!("../sql/api_keys.sql"))
            .param("keys", self.clickhouse.settings.spread_over_shards(KEYS_TABLE));
        let rows = self.clickhouse.rows::<KeyRow>(keys).await?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// When keys were used last; none of those that were not used yet.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn api_key_uses(&self) -> Result<HashMap<KeyHash, Timestamp>, Error> {
        let uses = self
            .clickhouse
            .question(include_str!("../sql/api_key_uses.sql"))
            .param("uses", self.clickhouse.settings.spread_over_shards(USES_TABLE));
        let rows = self.clickhouse.rows::<UseRow>(uses).await?;
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| (KeyHash(row.hash), Timestamp::from_millis(row.last_used_at)))
            .collect())
    }

    /// Creates a key that opens these organisations (`*` alone: all), for as long as is said, or for ever.
    ///
    /// # Errors
    /// Those of any query, and [`Error::KeyNameTaken`]: of several that are created at once under one name one stays at most.
    pub async fn create_api_key(
        &self,
        hash: KeyHash,
        name: &str,
        orgs: &[String],
        valid_for: Option<Duration>,
    ) -> Result<(), Error> {
        let taken = || Error::KeyNameTaken {
            name: name.to_owned(),
        };
        if !self.live_with_name(name).await?.is_empty() {
            return Err(taken());
        }
        let settings = &self.clickhouse.settings;
        let millis = valid_for.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let create = self
            .clickhouse
            .spreading(include_str!("../sql/create_api_key.sql"))
            .param("into", settings.spread_over_shards(KEYS_TABLE))
            .param("hash", hash.to_string())
            .param("name", name)
            .param("orgs", orgs)
            .param("valid_for", millis);
        self.clickhouse
            .within(settings.insert_timeout(), create.execute())
            .await?;
        // ClickHouse keeps no name from being there twice. Whichever of two came second sees the other here, and the first
        // may not have seen it: so whoever sees another gives way.
        let live = self.live_with_name(name).await?;
        if live.iter().any(|other| *other != hash) {
            self.revoke(&[hash]).await?;
            return Err(taken());
        }
        Ok(())
    }

    /// Revokes the key of this name.
    ///
    /// # Errors
    /// Those of any query, and [`Error::NoSuchKey`] where no key of this name lives.
    pub async fn revoke_api_key(&self, name: &str) -> Result<(), Error> {
        let live = self.live_with_name(name).await?;
        if live.is_empty() {
            return Err(Error::NoSuchKey {
                name: name.to_owned(),
            });
        }
        self.revoke(&live).await
    }

    /// Keeps that keys were used, each so long ago.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn note_api_key_uses(&self, uses: &[(KeyHash, Duration)]) -> Result<(), Error> {
        let settings = &self.clickhouse.settings;
        let hashes: Vec<_> = uses.iter().map(|(hash, _)| hash.to_string()).collect();
        let ages = uses.iter().map(|(_, age)| i64::try_from(age.as_millis()));
        let ages: Vec<_> = ages.map(|age| age.unwrap_or(i64::MAX)).collect();
        let note = self
            .clickhouse
            .spreading(include_str!("../sql/note_api_key_uses.sql"))
            .param("into", settings.spread_over_shards(USES_TABLE))
            .param("hashes", hashes)
            .param("ages", ages);
        self.clickhouse
            .within(settings.insert_timeout(), note.execute())
            .await
    }

    /// The key of this name that lives; several while they are being created.
    async fn live_with_name(&self, name: &str) -> Result<Vec<KeyHash>, Error> {
        let keys = self.api_keys().await?;
        let named = keys
            .iter()
            .filter(|key| key.name == name && key.state() == KeyState::Live);
        Ok(named.map(|key| key.hash).collect())
    }

    async fn revoke(&self, hashes: &[KeyHash]) -> Result<(), Error> {
        let settings = &self.clickhouse.settings;
        let hashes: Vec<_> = hashes.iter().map(KeyHash::to_string).collect();
        let revoke = self
            .clickhouse
            .spreading(include_str!("../sql/revoke_api_keys.sql"))
            .param("into", settings.spread_over_shards(KEYS_TABLE))
            .param("hashes", hashes);
        self.clickhouse
            .within(settings.insert_timeout(), revoke.execute())
            .await
    }
}
