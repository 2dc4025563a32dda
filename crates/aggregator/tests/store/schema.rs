use std::path::Path;

use aggregator::{
    Error, Settings, Store, definitions,
    migrate::{Access, SchemaState, latest_version},
};

use testbed::{TestCluster, ZooKeeper};

use crate::harness::{Database, client, run, schema};

/// Compares what a database holds with a file beside the crate; writes it elsewhere to be copied.
fn assert_is(found: &str, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let found_path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&found_path, found).unwrap();
    let mut lines = written.lines().zip(found.lines());
    assert!(
        written == found,
        "the first difference is {:?}; if the migrations are right, copy {} to {}",
        lines.find(|(written, found)| written != found),
        found_path.display(),
        path.display()
    );
}

#[tokio::test]
async fn the_migrations_amount_to_schema_sql() {
    let database = Database::migrated("schema_sql").await;
    assert_is(&schema(&database.settings).await, "schema.sql");
}

/// Of a database on a cluster: the tables that send rows to their shards, and all others.
async fn distributed_and_local(settings: &Settings) -> (String, String) {
    let found = schema(settings).await;
    let (mut distributed, mut local) = (String::new(), String::new());
    for statement in found.split_inclusive(";\n\n") {
        if statement.contains("ENGINE = Distributed") {
            distributed.push_str(statement);
        } else {
            local.push_str(statement);
        }
    }
    (
        distributed.replace(&format!("'{}'", settings.database), "'rollcall'"),
        local,
    )
}

#[tokio::test]
async fn a_cluster_has_the_same_tables_and_those_of_schema_cluster_sql() {
    let cluster = TestCluster::start(2).await;
    let database = Database::on_shards(&cluster, "schema_cluster").await;
    for url in database.settings.urls() {
        let node = Settings {
            url: url.to_owned(),
            ..database.settings.clone()
        };
        let (distributed, local) = distributed_and_local(&node).await;
        assert_is(&distributed, "schema-cluster.sql");
        assert_eq!(local, include_str!("../../schema.sql"), "{url}");
    }
}

/// The engine makes replicated tables by a real ZooKeeper, and cannot write to them: what a migration inserts is passed over.
#[tokio::test]
async fn replicated_tables_are_those_of_schema_replicated_sql() {
    /// TABLE_IS_READ_ONLY, as the message names it.
    const READ_ONLY: &str = "TABLE_IS_READ_ONLY";
    let zookeeper = ZooKeeper::start(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let cluster = TestCluster::with_zookeeper(&zookeeper).await;
    let settings = Settings {
        replicated: true,
        // It would wait for the table to become writable.
        settings: [("insert_keeper_max_retries".to_owned(), "0".to_owned())].into(),
        ..Database::settings_on_shards(&cluster, "schema_replicated")
    };
    let store = Store::new(&settings);
    let client = client(&settings);
    let mut applied = 0;
    while let Err(error) = store.migrate(|_| applied += 1).await {
        assert!(format!("{error:?}").contains(READ_ONLY), "{error:?}");
        let next: u32 = client
            .query("SELECT toUInt32(max(version) + 1) FROM schema_versions")
            .fetch_one()
            .await
            .unwrap();
        let record = client.query("INSERT INTO schema_versions (version, name) VALUES (?, ?)");
        let record = record.bind(next).bind(migration_name(next));
        record.execute().await.unwrap();
    }
    assert!(applied > 30, "{applied}");
    let (_, local) = distributed_and_local(&settings).await;
    assert_is(&local, "schema-replicated.sql");
    let engines: Vec<(String, String)> = client
        .query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' \
             AND engine NOT LIKE 'Replicated%'",
        )
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(
        engines,
        [("schema_versions".to_owned(), "ReplacingMergeTree".to_owned())]
    );
}

/// The name of a migration.
fn migration_name(version: u32) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names = std::fs::read_dir(folder).unwrap().map(|file| {
        let path = file.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    let start = format!("{version:04}_");
    names.find(|name| name.starts_with(&start)).unwrap()
}

#[tokio::test]
async fn the_views_of_the_schema_are_the_definitions_of_their_rollups() {
    let database = Database::migrated("definitions").await;
    let migrated = schema(&database.settings).await;
    let mut compared = 0;
    for definition in definitions() {
        let name = definition.split(' ').nth(6).unwrap();
        if migrated.contains(&format!("CREATE MATERIALIZED VIEW {name} ")) {
            run(&database, &format!("DROP VIEW {name}")).await;
            run(&database, definition).await;
            compared += 1;
        }
    }
    assert_eq!(compared, 5);
    assert_eq!(schema(&database.settings).await, migrated);
}

#[tokio::test]
async fn migrating_is_idempotent_and_safe_twice_at_once() {
    let database = Database::named("twice_at_once").await;
    let (one, two) = (&database.store, Store::new(&database.settings));
    assert_eq!(
        one.schema_state(Access::Read).await.unwrap(),
        SchemaState::Outdated {
            found: 0,
            needed: latest_version()
        }
    );
    let (first, second) = tokio::join!(one.migrate(|_| ()), two.migrate(|_| ()));
    first.unwrap();
    second.unwrap();
    assert_eq!(
        one.schema_state(Access::Read).await.unwrap(),
        SchemaState::Current
    );
    let id = one.database_id().await.unwrap();
    let mut again = 0;
    one.migrate(|_| again += 1).await.unwrap();
    assert_eq!(again, 0, "nothing is left to be applied");
    assert_eq!(two.database_id().await.unwrap(), id);
    let other = Database::migrated("another_id").await;
    assert_ne!(other.store.database_id().await.unwrap(), id);
}

/// All that a database holds: what its tables are, and the rows of those that are not empty.
async fn contents(database: &Database) -> (String, Vec<(String, u64)>) {
    let rows = client(&database.settings)
        .query("SELECT name, assumeNotNull(total_rows) FROM system.tables WHERE database = currentDatabase() AND total_rows > 0 ORDER BY name")
        .fetch_all()
        .await
        .unwrap();
    (schema(&database.settings).await, rows)
}

#[tokio::test]
async fn a_database_of_before_the_baseline_is_refused_by_name_and_left_untouched() {
    // All that such a program recorded, what it recorded first, and its last version alone.
    for (name, recorded) in [
        (
            "before_baseline",
            &[
                (1, "0001_messages"),
                (2, "0002_annotations"),
                (37, "0037_messages_small_blocks"),
            ][..],
        ),
        ("before_baseline_begun", &[(1, "0001_messages")]),
        (
            "before_baseline_in_part",
            &[(3, "0003_registrations"), (5, "0005_activity_daily")],
        ),
    ] {
        let database = Database::named(name).await;
        let anywhere = client(&database.settings).with_database("default");
        let create = format!("CREATE DATABASE {name}");
        anywhere.query(&create).execute().await.unwrap();
        run(
            &database,
            "CREATE TABLE schema_versions (version UInt32, name String, applied_at DateTime('UTC') DEFAULT now())
            ENGINE = ReplacingMergeTree ORDER BY version",
        )
        .await;
        run(
            &database,
            "CREATE TABLE messages (org String, content String) ENGINE = MergeTree ORDER BY org",
        )
        .await;
        run(&database, "INSERT INTO messages VALUES ('org', 'hello')").await;
        for (version, migration) in recorded {
            let record =
                format!("INSERT INTO schema_versions (version, name) VALUES ({version}, '{migration}')");
            run(&database, &record).await;
        }
        let before = contents(&database).await;

        let state = database.store.schema_state(Access::Read).await.unwrap_err();
        let refused = database
            .store
            .migrate(|migration| panic!("{migration} is made"))
            .await
            .unwrap_err();
        for error in [state, refused] {
            assert!(matches!(error, Error::SchemaBeforeBaseline { .. }), "{error:?}");
            assert!(!error.is_transient());
            let message = error.to_string();
            for named in [
                name,
                "before the baseline",
                "`clickhouse.database`",
                "data directory",
                "drop",
            ] {
                assert!(message.contains(named), "{message}");
            }
        }
        assert_eq!(contents(&database).await, before);
    }
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
        store.schema_state(Access::Read).await.unwrap(),
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

#[tokio::test]
async fn a_newer_schema_says_which_older_programs_can_continue() {
    let database = Database::migrated("compatible").await;
    let (store, known) = (&database.store, latest_version());
    store.require_known_schema().await.unwrap();
    let newer = |found| SchemaState::Newer { found, known };
    // Nothing changes for those who read; then not for those who write either; then it does for all.
    for (found, readable_by, writable_by, read, write) in [
        (
            known + 1,
            known,
            known,
            SchemaState::Current,
            SchemaState::Current,
        ),
        (
            known + 2,
            known,
            known + 2,
            SchemaState::Current,
            newer(known + 2),
        ),
        (
            known + 3,
            known + 3,
            known + 2,
            newer(known + 3),
            newer(known + 3),
        ),
    ] {
        client(&database.settings)
            .query("INSERT INTO schema_versions (version, name, readable_by, writable_by) VALUES (?, 'newer', ?, ?)")
            .bind(found)
            .bind(readable_by)
            .bind(writable_by)
            .execute()
            .await
            .unwrap();
        assert_eq!(store.schema_state(Access::Read).await.unwrap(), read);
        assert_eq!(store.schema_state(Access::Write).await.unwrap(), write);
        // What is defined by the schema is not known.
        let refused = store.require_known_schema().await.unwrap_err();
        assert!(matches!(refused, Error::NewerSchema { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_database_that_has_not_recorded_who_can_continue_is_as_it_was() {
    let database = Database::migrated("compatible_later").await;
    for column in ["readable_by", "writable_by"] {
        run(
            &database,
            &format!("ALTER TABLE schema_versions DROP COLUMN {column}"),
        )
        .await;
    }
    let store = &database.store;
    assert_eq!(
        store.schema_state(Access::Write).await.unwrap(),
        SchemaState::Current
    );
    store
        .migrate(|migration| panic!("{migration} is made"))
        .await
        .unwrap();
    let needed: (u32, u32) = client(&database.settings)
        .query("SELECT max(readable_by), max(writable_by) FROM schema_versions")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(needed, (latest_version(), latest_version()));
}

#[tokio::test]
async fn a_schema_that_is_missing_is_named_with_what_to_do() {
    let database = Database::named("missing_schema").await;
    let missing = database.store.require_known_schema().await.unwrap_err();
    assert!(
        matches!(missing, Error::OutdatedSchema { found: 0, .. }),
        "{missing}"
    );
    assert!(missing.to_string().contains("rollcall migrate"), "{missing}");
}
