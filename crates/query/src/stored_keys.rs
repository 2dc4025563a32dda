//! The API keys that are kept in ClickHouse, as they were read last.
//!
//! They are held by their hashes, and a request's key is compared with each of them in a time that says nothing. They hold for a
//! time after they were read; then nothing is known of any key, and it is said that keys cannot be checked.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use aggregator::{ApiKey, KeyHash, KeyState, Store};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::{account::Account, error::Error, keys::Scope};

/// How often it is kept that a key was used, at most.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// The hash that a key is kept by.
pub fn hash_key(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// The keys that are kept in ClickHouse, as they were read last. Cloning it shares them; by default there are none.
#[derive(Clone, Default)]
pub struct StoredKeys(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How long keys hold once they were read; none where they are not read at all.
    max_age: Option<Duration>,
    read: RwLock<Read>,
}

/// What was read.
#[derive(Default)]
struct Read {
    /// When it was asked for; none before the first time.
    asked_at: Option<Instant>,
    live: Vec<StoredKey>,
    /// Keys that live no longer, whose last use is not kept yet.
    gone: Vec<(KeyHash, Arc<Mutex<Uses>>)>,
    /// A replica that lags may still have as live what another has as revoked.
    revoked: HashSet<KeyHash>,
}

struct StoredKey {
    hash: KeyHash,
    scope: Scope,
    /// When it expires; none where it does not.
    ends: Option<Instant>,
    kept: Kept,
}

/// What stays of a key from one reading to the next.
#[derive(Clone, Default)]
struct Kept {
    account: Arc<Account>,
    uses: Arc<Mutex<Uses>>,
}

#[derive(Default)]
struct Uses {
    last: Option<Instant>,
    /// The last that was kept, and when it was.
    noted: Option<(Instant, Instant)>,
}

impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKeys")
            .field("max_age", &self.0.max_age)
            .finish_non_exhaustive()
    }
}

impl StoredKeys {
    /// Keys that hold for so long after they were read.
    pub fn new(max_age: Duration) -> Self {
        Self(Arc::new(Shared {
            max_age: Some(max_age),
            read: RwLock::default(),
        }))
    }

    /// Whether none is known that opens anything.
    pub fn is_empty(&self) -> bool {
        self.read().live.is_empty()
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// Those of the store. What was read before goes on to hold.
    pub async fn refresh(&self, store: &Store) -> Result<(), aggregator::Error> {
        let asked_at = Instant::now();
        self.replace(store.api_keys().await?, asked_at);
        Ok(())
    }

    /// Keeps in ClickHouse when keys were used, of each at most once a minute, or with [`DueUses::All`] whatever is not kept yet.
    ///
    /// # Errors
    /// Those of the store. It is kept the next time.
    pub async fn note_uses(&self, store: &Store, which: DueUses) -> Result<(), aggregator::Error> {
        let now = Instant::now();
        let due = self.due_uses(which, now);
        if due.is_empty() {
            return Ok(());
        }
        let ages: Vec<_> = due.iter().map(|(hash, last, _)| (*hash, now - *last)).collect();
        store.note_api_key_uses(&ages).await?;
        for (_, last, uses) in due {
            lock(&uses).noted = Some((last, now));
        }
        let mut read = self.write();
        read.gone
            .retain(|(_, uses)| lock(uses).due(DueUses::All, now).is_some());
        Ok(())
    }

    /// The keys that are to be kept as used, each with its last use.
    fn due_uses(&self, which: DueUses, now: Instant) -> Vec<(KeyHash, Instant, Arc<Mutex<Uses>>)> {
        let read = self.read();
        let live = read.live.iter().map(|key| (key.hash, &key.kept.uses, which));
        let gone = read.gone.iter().map(|(hash, uses)| (*hash, uses, DueUses::All));
        let due = live.chain(gone).filter_map(|(hash, uses, which)| {
            let last = lock(uses).due(which, now)?;
            Some((hash, last, Arc::clone(uses)))
        });
        due.collect()
    }

    /// What a key opens, and its account; none for one that is not known, has expired or is revoked.
    ///
    /// # Errors
    /// [`Error::KeysUnread`] where it is not known which keys there are.
    pub(crate) fn find(&self, given: &str) -> Result<Option<(Scope, Arc<Account>)>, Error> {
        let (given, now) = (hash_key(given), Instant::now());
        let read = self.read();
        if let Some(max_age) = self.0.max_age
            && read.asked_at.is_none_or(|asked_at| now - asked_at > max_age)
        {
            return Err(Error::KeysUnread);
        }
        let mut found = None;
        for key in &read.live {
            if bool::from(key.hash.0.ct_eq(&given.0)) {
                found = Some(key);
            }
        }
        let live = found.filter(|key| key.ends.is_none_or(|ends| now < ends));
        Ok(live.map(|key| {
            lock(&key.kept.uses).last = Some(now);
            (key.scope.clone(), Arc::clone(&key.kept.account))
        }))
    }

    fn replace(&self, keys: Vec<ApiKey>, asked_at: Instant) {
        let mut read = self.write();
        let kept = read.live.drain(..).map(|key| (key.hash, key.kept));
        let mut kept: HashMap<_, _> = kept.collect();
        for key in keys {
            match key.state() {
                KeyState::Revoked => {
                    read.revoked.insert(key.hash);
                }
                KeyState::Live if !read.revoked.contains(&key.hash) => {
                    let remaining = key.remaining();
                    read.live.push(StoredKey {
                        hash: key.hash,
                        scope: Scope::of(key.orgs),
                        ends: remaining.and_then(|remaining| asked_at.checked_add(remaining)),
                        kept: kept.remove(&key.hash).unwrap_or_default(),
                    });
                }
                KeyState::Live | KeyState::Expired => {}
            }
        }
        let gone = kept.into_iter().map(|(hash, kept)| (hash, kept.uses));
        read.gone
            .extend(gone.filter(|(_, uses)| lock(uses).due(DueUses::All, asked_at).is_some()));
        read.asked_at = Some(asked_at);
    }

    fn read(&self) -> RwLockReadGuard<'_, Read> {
        self.0.read.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Read> {
        self.0.read.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which uses are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueUses {
    /// Those of keys of which none was kept within a minute.
    OfMinutes,
    /// All.
    All,
}

impl Uses {
    /// The last use, if it is to be kept now.
    fn due(&self, which: DueUses, now: Instant) -> Option<Instant> {
        let last = self.last?;
        match self.noted {
            Some((noted, _)) if noted == last => None,
            Some((_, at)) if which == DueUses::OfMinutes && now - at < USE_INTERVAL => None,
            _ => Some(last),
        }
    }
}

fn lock(uses: &Mutex<Uses>) -> MutexGuard<'_, Uses> {
    uses.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use events::Timestamp;

    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(300);
    const READ_AT: i64 = 1_000_000;

    fn key(text: &str, orgs: &str) -> ApiKey {
        ApiKey {
            hash: hash_key(text),
            name: text.to_owned(),
            orgs: orgs.split(',').map(str::to_owned).collect(),
            created_at: Timestamp::from_millis(1),
            expires_at: None,
            revoked_at: None,
            read_at: Timestamp::from_millis(READ_AT),
        }
    }

    fn revoked(key: ApiKey) -> ApiKey {
        let revoked_at = Some(Timestamp::from_millis(2));
        ApiKey { revoked_at, ..key }
    }

    /// Whether a key opens an organisation; none where it is not known.
    fn opens(keys: &StoredKeys, text: &str, org: &str) -> Option<bool> {
        let found = keys.find(text).unwrap();
        found.map(|(scope, _)| scope.opens(org))
    }

    #[test]
    fn the_hash_of_a_key_is_its_sha_256() {
        assert_eq!(
            hash_key("abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_opens_what_it_was_read_to_open_until_it_expires_or_is_revoked() {
        let keys = StoredKeys::new(MAX_AGE);
        let brief = ApiKey {
            expires_at: Some(Timestamp::from_millis(READ_AT + 60_000)),
            ..key("brief", "acme")
        };
        let over = ApiKey {
            expires_at: Some(Timestamp::from_millis(READ_AT)),
            ..key("over", "acme")
        };
        let all = vec![key("two", "acme,globex"), key("all", "*"), brief, over];
        keys.replace(all, Instant::now());
        assert_eq!(opens(&keys, "two", "globex"), Some(true));
        assert_eq!(opens(&keys, "two", "other"), Some(false));
        assert_eq!(opens(&keys, "all", "other"), Some(true));
        assert_eq!(opens(&keys, "brief", "acme"), Some(true));
        assert_eq!(opens(&keys, "over", "acme"), None);
        assert_eq!(opens(&keys, "nobody's", "acme"), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(opens(&keys, "brief", "acme"), None);

        keys.replace(vec![revoked(key("two", "acme")), key("all", "*")], Instant::now());
        assert_eq!(opens(&keys, "two", "acme"), None);
        // As a replica has it that lags.
        keys.replace(vec![key("two", "acme")], Instant::now());
        assert_eq!(opens(&keys, "two", "acme"), None);
        assert_eq!(opens(&keys, "all", "acme"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_were_not_read_in_time_cannot_be_checked() {
        assert!(matches!(StoredKeys::default().find("any"), Ok(None)));
        let keys = StoredKeys::new(MAX_AGE);
        assert!(matches!(keys.find("all"), Err(Error::KeysUnread)));
        keys.replace(vec![key("all", "*")], Instant::now());
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(opens(&keys, "all", "acme"), Some(true));
        assert_eq!(opens(&keys, "nobody's", "acme"), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(matches!(keys.find("all"), Err(Error::KeysUnread)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_account_of_a_key_outlives_a_reading() {
        let keys = StoredKeys::new(MAX_AGE);
        keys.replace(vec![key("all", "*")], Instant::now());
        let (_, before) = keys.find("all").unwrap().unwrap();
        keys.replace(vec![key("other", "*"), key("all", "*")], Instant::now());
        let (_, after) = keys.find("all").unwrap().unwrap();
        assert!(Arc::ptr_eq(&before, &after));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_use_of_a_key_that_is_revoked_is_kept_at_once() {
        let keys = StoredKeys::new(MAX_AGE);
        keys.replace(vec![key("used", "*"), key("unused", "*")], Instant::now());
        let due = || keys.due_uses(DueUses::OfMinutes, Instant::now());
        keys.find("used").unwrap().unwrap();
        let (_, last, uses) = due().remove(0);
        lock(&uses).noted = Some((last, Instant::now()));
        tokio::time::advance(Duration::from_secs(1)).await;
        keys.find("used").unwrap().unwrap();
        assert_eq!(due().len(), 0);
        keys.replace(
            vec![revoked(key("used", "*")), revoked(key("unused", "*"))],
            Instant::now(),
        );
        let due: Vec<_> = due().into_iter().map(|(hash, last, _)| (hash, last)).collect();
        assert_eq!(due, [(hash_key("used"), Instant::now())]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_use_is_kept_at_once_and_then_once_a_minute() {
        let mut uses = Uses::default();
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(uses.due(DueUses::All, began), None);
        uses.last = Some(began);
        assert_eq!(uses.due(DueUses::OfMinutes, began), Some(began));
        uses.noted = Some((began, began));
        assert_eq!(uses.due(DueUses::All, after(100)), None);
        uses.last = Some(after(1));
        assert_eq!(uses.due(DueUses::OfMinutes, after(59)), None);
        assert_eq!(uses.due(DueUses::All, after(59)), Some(after(1)));
        assert_eq!(uses.due(DueUses::OfMinutes, after(60)), Some(after(1)));
    }
}
