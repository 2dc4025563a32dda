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
async fn what_an_older_program_stored_is_upgraded() {
    /// The last version whose rollups were filled by views of the messages.
    const OLDER: &str = "0018";
    let database = Database::named("older").await;
    let client = client(&database.settings);
    let create = "CREATE DATABASE older";
    let anywhere = client.clone().with_database("default");
    anywhere.query(create).execute().await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap() < OLDER)
        .collect();
    files.sort();
    for file in files {
        let statement = std::fs::read_to_string(&file).unwrap();
        client.query_raw(&statement).execute().await.unwrap();
    }
    let messages = "INSERT INTO messages (org, conversation_id, time, message_id, role, user_id, mentor_id, content, model)
        SELECT 'org', intDiv(number, 7), toDateTime64('2024-01-01 00:00:00', 3, 'UTC') + number * 777, number,
            if(number % 3 = 0, 'assistant', 'user'), concat('user-', toString(number % 91)),
            if(number % 4 = 0, '', concat('mentor-', toString(number % 5))), 'hello', if(number % 2 = 0, 'm', '')
        FROM numbers(5000)";
    client.query_raw(messages).execute().await.unwrap();

    database.store.migrate(|_| ()).await.unwrap();
    for table in aggregator::rollup_tables() {
        assert_eq!(database.store.verify(table).await.unwrap(), None, "{table}");
    }
    let fresh = Database::migrated("fresh").await;
    assert_eq!(
        schema(&database.settings).await,
        schema(&fresh.settings).await,
        "nothing of the older schema is left"
    );
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
