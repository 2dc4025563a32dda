//! API keys: created, listed and revoked, on one server and on a cluster.

use std::time::Duration;

use aggregator::{ApiKey, Error, KeyHash, KeyState, Settings, Store, migrate::Access};
use futures::future::join_all;
use testbed::TestCluster;

use crate::harness::{Database, run};

const ORGS: [&str; 2] = ["acme", "it's \\ \"odd\""];

fn orgs() -> Vec<String> {
    ORGS.map(str::to_owned).to_vec()
}

/// What is known of the keys, without what depends on the clock.
async fn listed(store: &Store) -> Vec<(KeyHash, String, KeyState)> {
    let keys = store.api_keys().await.unwrap();
    let mut keys: Vec<_> = keys
        .iter()
        .map(|key| (key.hash, key.name.clone(), key.state()))
        .collect();
    keys.sort_by_key(|(hash, ..)| hash.0);
    keys
}

async fn make_use_and_revoke(database: &Database) {
    let store = &database.store;
    let [one, two, three] = [1, 2, 3].map(|byte| KeyHash([byte; 32]));
    assert_eq!(store.api_keys().await.unwrap(), []);
    store.create_api_key(one, "first", &orgs(), None).await.unwrap();
    let day = Duration::from_secs(86_400);
    let all = ["*".to_owned()];
    store
        .create_api_key(two, "second", &all, Some(day))
        .await
        .unwrap();
    let taken = store.create_api_key(three, "first", &all, None).await;
    assert!(matches!(taken, Err(Error::KeyNameTaken { .. })), "{taken:?}");

    let keys = store.api_keys().await.unwrap();
    let [first, second]: &[ApiKey; 2] = keys.as_slice().try_into().unwrap();
    assert_eq!(
        (first.hash, first.name.as_str(), &first.orgs),
        (one, "first", &orgs())
    );
    assert_eq!((first.expires_at, first.remaining()), (None, None));
    assert_eq!(second.orgs, all);
    let left = second.remaining().unwrap();
    assert!(left <= day && left > day / 2, "{left:?}");
    assert_eq!(
        second.expires_at.unwrap().as_millis() - second.created_at.as_millis(),
        86_400_000
    );

    assert!(store.api_key_uses().await.unwrap().is_empty());
    let minutes = |count: u64| Duration::from_secs(60 * count);
    store
        .note_api_key_uses(&[(one, minutes(1)), (two, minutes(30))])
        .await
        .unwrap();
    // An older use that comes late changes nothing.
    store.note_api_key_uses(&[(one, minutes(5))]).await.unwrap();
    let uses = store.api_key_uses().await.unwrap();
    let ago = |hash| store_age(&keys, uses[&hash].as_millis());
    assert_eq!(uses.len(), 2);
    assert!((0..4).contains(&ago(one)), "{uses:?}");
    assert!((28..34).contains(&ago(two)), "{uses:?}");

    store.revoke_api_key("first").await.unwrap();
    let again = store.revoke_api_key("first").await;
    assert!(matches!(again, Err(Error::NoSuchKey { .. })), "{again:?}");
    // The name is free again.
    store.create_api_key(three, "first", &all, None).await.unwrap();
    for table in ["api_keys", "api_key_uses"] {
        run(database, &format!("OPTIMIZE TABLE {table} FINAL")).await;
    }
    let expected = [
        (one, "first".to_owned(), KeyState::Revoked),
        (two, "second".to_owned(), KeyState::Live),
        (three, "first".to_owned(), KeyState::Live),
    ];
    assert_eq!(listed(store).await, expected);
    assert_eq!(store.api_key_uses().await.unwrap(), uses);
}

/// How many minutes before the keys were read an instant was.
fn store_age(keys: &[ApiKey], millis: i64) -> i64 {
    (keys[0].read_at.as_millis() - millis) / 60_000
}

#[tokio::test]
async fn keys_are_created_used_and_revoked_and_a_name_belongs_to_one_that_lives() {
    make_use_and_revoke(&Database::migrated("api_keys").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_cluster_are_on_all_shards_and_read_whole_from_any() {
    let cluster = TestCluster::start(3).await;
    let database = Database::on_shards(&cluster, "api_keys_shards").await;
    make_use_and_revoke(&database).await;
    let all = listed(&database.store).await;
    for url in database.settings.urls() {
        let node = Store::new(&Settings {
            url: url.to_owned(),
            ..database.settings.clone()
        });
        assert_eq!(listed(&node).await, all, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_keys_that_are_created_at_once_under_one_name_one_stays_at_most() {
    let database = Database::migrated("api_keys_at_once").await;
    let store = &database.store;
    for round in 0..5_u8 {
        let name = format!("name-{round}");
        let created = (0..8_u8).map(|number| {
            let (store, name) = (store.clone(), name.clone());
            let hash = KeyHash([16 * round + number; 32]);
            async move { store.create_api_key(hash, &name, &orgs(), None).await }
        });
        let created = join_all(created).await;
        let kept = created.iter().filter(|created| created.is_ok()).count();
        let keys = listed(store).await;
        let live = keys
            .iter()
            .filter(|(_, of, state)| *of == name && *state == KeyState::Live);
        assert_eq!(kept, live.count(), "{created:?}");
        assert!(kept <= 1, "{created:?}");
    }
}

#[tokio::test]
async fn a_key_expires_by_the_clock_of_clickhouse() {
    let database = Database::migrated("api_keys_expire").await;
    let store = &database.store;
    let (short, long) = (KeyHash([7; 32]), KeyHash([8; 32]));
    let moment = Some(Duration::from_millis(1));
    store
        .create_api_key(short, "brief", &orgs(), moment)
        .await
        .unwrap();
    let expired = store.api_keys().await.unwrap().remove(0);
    assert_eq!(expired.state(), KeyState::Expired);
    assert_eq!(expired.remaining(), Some(Duration::ZERO));
    // Its name is free.
    store.create_api_key(long, "brief", &orgs(), None).await.unwrap();
}

#[tokio::test]
async fn without_the_schema_it_is_said_to_migrate() {
    let database = Database::named("api_keys_not_migrated").await;
    let store = &database.store;
    let missing = store.require_schema(Access::Read).await.unwrap_err();
    assert!(missing.to_string().contains("rollcall migrate"), "{missing}");
}
