use std::path::Path;

use aggregator::{
    Error, Store,
    migrate::{SchemaState, latest_version},
};

use crate::harness::{Database, client, schema};

#[tokio::test]
async fn the_migrations_amount_to_schema_sql() {
    let database = Database::migrated("schema_sql").await;
    let found = schema(&database.settings).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schema.sql");
    std::fs::write(&beside, &found).unwrap();
    let mut lines = written.lines().zip(found.lines());
    assert!(
        written == found,
        "the first difference is {:?}; if the migrations are right, copy {} to {}",
        lines.find(|(written, found)| written != found),
        beside.display(),
        path.display()
    );
}

#[tokio::test]
async fn migrating_is_idempotent_and_safe_twice_at_once() {
    let database = Database::named("twice_at_once").await;
    let (one, two) = (&database.store, Store::new(&database.settings));
    assert_eq!(
        one.schema_state().await.unwrap(),
        SchemaState::Outdated {
            found: 0,
            needed: latest_version()
        }
    );
    let (first, second) = tokio::join!(one.migrate(|_| ()), two.migrate(|_| ()));
    first.unwrap();
    second.unwrap();
    assert_eq!(one.schema_state().await.unwrap(), SchemaState::Current);
    let mut again = 0;
    one.migrate(|_| again += 1).await.unwrap();
    assert_eq!(again, 0, "nothing is left to be applied");
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_left_alone() {
    let database = Database::migrated("newer").await;
    let (store, settings) = (&database.store, &database.settings);
    let newer = latest_version() + 1;
    client(settings)
        .query("INSERT INTO schema_versions (version, name) VALUES (?, 'of tomorrow')")
        .bind(newer)
        .execute()
        .await
        .unwrap();
    assert_eq!(
        store.schema_state().await.unwrap(),
        SchemaState::Newer {
            found: newer,
            known: latest_version()
        }
    );
    let refused = store.migrate(|_| ()).await.unwrap_err();
    assert!(
        matches!(refused, Error::NewerSchema { found, .. } if found == newer),
        "{refused}"
    );
}
