//! The schema, in numbered statements.
//!
//! The first versions are a baseline: each table, then the views that fill it. From here on every change of the schema is
//! a further migration with the next number. It keeps the facts, and the rollups that it changes are rebuilt from them. A
//! view that also defines its rollup is written twice: here as it was released, in `rollups/` as it is now. A test
//! compares what the migrations make of it with the latter.
//!
//! No migration is taken out, renamed or given another number: their names, as recorded in `schema_versions`, show
//! whether a database has this history. One that has another is refused and left untouched.
//!
//! With each is recorded which version a program must know to continue with the schema: an older program reads there
//! whether it can, of a schema that it has never seen.
//!
//! Each statement is idempotent by itself, so two programs that migrate at once do no harm. `schema.sql` is the sum of
//! all of them; a test compares the two.

use std::cmp::Ordering;

use clickhouse::Row;
use serde::Deserialize;

use crate::{error::Error, store::Store};

/// A migration.
struct Migration {
    /// It begins with the number.
    name: &'static str,
    statement: &'static str,
    /// The versions of older programs that can continue; none where they cannot.
    compatible: Option<Compatible>,
}

/// The least versions that a program must know to continue with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Deserialize)]
struct Compatible {
    /// To answer questions: what such a program reads is there, and means what it meant.
    readable_by: u32,
    /// To insert batches: what such a program inserts is complete.
    writable_by: u32,
}

/// The migration of this name, which a program must know to continue, or only one of the given versions.
macro_rules! migration {
    ($name:literal) => {
        migration!($name, None)
    };
    ($name:literal, readable_by: $readable_by:literal, writable_by: $writable_by:literal) => {
        migration!(
            $name,
            Some(Compatible {
                readable_by: $readable_by,
                writable_by: $writable_by,
            })
        )
    };
    ($name:literal, $compatible:expr) => {
        Migration {
            name: $name,
            statement: include_str!(concat!("../migrations/", $name, ".sql")),
            compatible: $compatible,
        }
    };
}

/// Every migration; that at index `i` makes version `i + 1`.
///
/// A database of before the baseline has recorded `0001_messages`, so another name must stand first.
static MIGRATIONS: [Migration; 58] = [
    migration!("0001_annotations"),
    migration!("0002_messages"),
    migration!("0003_registrations"),
    migration!("0004_active_hourly"),
    migration!("0005_active_daily"),
    migration!("0006_active_weekly"),
    migration!("0007_users"),
    migration!("0008_conversations"),
    migration!("0009_conversation_days"),
    migration!("0010_conversation_annotations"),
    migration!("0011_incoming_activity"),
    migration!("0012_incoming_users"),
    migration!("0013_active_hourly_from_incoming"),
    migration!("0014_users_from_incoming"),
    migration!("0015_active_daily_from_hourly"),
    migration!("0016_active_weekly_from_daily"),
    migration!("0017_users_from_registrations"),
    migration!("0018_conversation_annotations_from_annotations"),
    migration!("0019_database_ids", readable_by: 18, writable_by: 18),
    migration!("0020_database_id", readable_by: 18, writable_by: 18),
    migration!("0021_conversation_beginnings"),
    migration!("0022_incoming_conversations"),
    migration!("0023_conversation_beginnings_from_incoming"),
    migration!("0024_conversations_by_day"),
    migration!("0025_conversation_topics"),
    migration!("0026_conversation_topics_from_annotations"),
    migration!("0027_fill_conversation_beginnings"),
    migration!("0028_fill_conversations_by_day"),
    migration!("0029_fill_conversation_topics"),
    migration!("0030_drop_conversations"),
    migration!("0031_drop_conversation_days"),
    migration!("0032_changes"),
    migration!("0033_observed_conversations"),
    migration!("0034_latest_annotations"),
    migration!("0035_latest_annotations_from_annotations"),
    migration!("0036_fill_latest_annotations"),
    migration!("0037_drop_conversation_annotations_from_annotations"),
    migration!("0038_drop_conversation_annotations"),
    migration!("0039_observed_users"),
    migration!("0040_entered_registrations"),
    migration!("0041_messages_digest", readable_by: 40, writable_by: 40),
    migration!("0042_messages_message_id", readable_by: 40, writable_by: 40),
    migration!("0043_latest_annotations_each_row", readable_by: 40, writable_by: 40),
    migration!("0044_conversation_topics_each_row", readable_by: 40, writable_by: 40),
    migration!("0045_users_each_row", readable_by: 40, writable_by: 40),
    migration!("0046_observed_beginnings"),
    migration!("0047_drop_observed_conversations"),
    migration!("0048_changes_since"),
    migration!("0049_ingestion_progress", readable_by: 48, writable_by: 48),
    migration!("0050_users_known_at", readable_by: 48, writable_by: 48),
    migration!("0051_api_keys", readable_by: 48, writable_by: 48),
    migration!("0052_api_key_uses", readable_by: 48, writable_by: 48),
    migration!("0053_erasure_keys", readable_by: 48, writable_by: 48),
    migration!("0054_erasure_key", readable_by: 48, writable_by: 48),
    // What does not know who is to be forgotten would bring them back.
    migration!("0055_erasures", readable_by: 48, writable_by: 58),
    migration!("0056_erased_conversations", readable_by: 48, writable_by: 58),
    migration!("0057_erasure_requests", readable_by: 48, writable_by: 58),
    migration!("0058_erasure_targets", readable_by: 48, writable_by: 58),
];

const CREATE_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions
(
    version UInt32,
    name String,
    applied_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY version
COMMENT 'the migrations that were applied'";

/// Columns that the table did not have at first. A migration that says nothing about them must be known.
const ADD_COMPATIBLE: &str = "ALTER TABLE schema_versions
ADD COLUMN IF NOT EXISTS readable_by UInt32 DEFAULT version COMMENT 'the least version that a program must know to read',
ADD COLUMN IF NOT EXISTS writable_by UInt32 DEFAULT version COMMENT 'the least version that a program must know to write'";

/// What a program does with the facts and rollups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It answers questions.
    Read,
    /// It inserts batches.
    Write,
}

/// How the schema of a database relates to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// As this program needs it, or of a newer program and recorded as compatible with this one.
    Current,
    /// Missing, or at an older version: `migrate` upgrades it.
    Outdated {
        /// The version found; 0 where there is none.
        found: u32,
        /// The version needed.
        needed: u32,
    },
    /// Made by a newer program, and not recorded as compatible with this one.
    Newer {
        /// The version found.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
}

/// The migrations that a shard has recorded: their versions and names.
type Recorded = Vec<(u32, String)>;

/// The version that this program needs.
pub fn latest_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

impl Store {
    /// Creates the database and upgrades its schema to [`latest_version`]; calls `applied` with the name of each
    /// migration once it is made. Safe to run again, and at once with another.
    ///
    /// # Errors
    /// Those of any query, [`Error::NewerSchema`] and [`Error::SchemaBeforeBaseline`]; the last two leave the database
    /// untouched.
    pub async fn migrate(&self, mut applied: impl FnMut(&str)) -> Result<(), Error> {
        for node in self.nodes() {
            let mut count = 0;
            let counted = |name: &str| {
                count += 1;
                applied(name);
            };
            // In a box, as it waits for several statements.
            let migrated = Box::pin(node.store.migrate_node(counted)).await;
            migrated.map_err(|error| node.named(error))?;
            for create in self.clickhouse.settings.create_distributed(count > 0) {
                let created = node.store.run_idempotent(&create).await;
                created.map_err(|error| node.named(error))?;
            }
        }
        Ok(())
    }

    async fn migrate_node(&self, mut applied: impl FnMut(&str)) -> Result<(), Error> {
        let create = self
            .clickhouse
            .client
            .clone()
            .with_database("default")
            .query("CREATE DATABASE IF NOT EXISTS ?")
            .bind(clickhouse::sql::Identifier(&self.clickhouse.settings.database));
        self.clickhouse.run(create.execute()).await?;
        self.run_idempotent(CREATE_VERSIONS).await?;
        let found = self.schema_version().await?;
        if found > latest_version() {
            return Err(self.newer_schema(found));
        }
        self.run_idempotent(ADD_COMPATIBLE).await?;
        let missing = (1_u32..).zip(&MIGRATIONS).skip_while(|(v, _)| *v <= found);
        for (
            version,
            Migration {
                name,
                statement,
                compatible,
            },
        ) in missing
        {
            let statement = self.clickhouse.settings.on_node(statement);
            let made = self.run_idempotent(&statement).await;
            // A newer program that migrates at the same time may have dropped what this statement needs.
            if let Err(error) = made
                && self.schema_version().await? < version
            {
                return Err(error);
            }
            let record = self
                .clickhouse
                .client
                .query("INSERT INTO schema_versions (version, name, readable_by, writable_by) VALUES (?, ?, ?, ?)")
                .bind(version)
                .bind(name)
                .bind(compatible.map_or(version, |compatible| compatible.readable_by))
                .bind(compatible.map_or(version, |compatible| compatible.writable_by));
            self.clickhouse.run(record.execute()).await?;
            applied(name);
        }
        Ok(())
    }

    /// How the schema relates to this program, which is to have this access.
    ///
    /// # Errors
    /// Those of any query, and [`Error::SchemaBeforeBaseline`]. A database or table that is not there is
    /// [`SchemaState::Outdated`], not an error.
    pub async fn schema_state(&self, access: Access) -> Result<SchemaState, Error> {
        let (found, needed) = (self.schema_version().await?, latest_version());
        Ok(match found.cmp(&needed) {
            Ordering::Less => SchemaState::Outdated { found, needed },
            Ordering::Equal => SchemaState::Current,
            Ordering::Greater if self.needed_version(access).await? <= needed => SchemaState::Current,
            Ordering::Greater => SchemaState::Newer { found, known: needed },
        })
    }

    /// Returns once it is certain that this program can have this access.
    ///
    /// # Errors
    /// Those of [`Store::schema_state`], [`Error::OutdatedSchema`] and [`Error::NewerSchema`].
    pub async fn require_schema(&self, access: Access) -> Result<(), Error> {
        match self.schema_state(access).await? {
            SchemaState::Current => Ok(()),
            SchemaState::Outdated { found, .. } => Err(self.outdated_schema(found)),
            SchemaState::Newer { found, .. } => Err(self.newer_schema(found)),
        }
    }

    /// Returns once it is certain that the schema is the one that this program knows: no older, and no newer one either,
    /// compatible or not.
    ///
    /// # Errors
    /// Those of any query, [`Error::OutdatedSchema`], [`Error::NewerSchema`] and [`Error::SchemaBeforeBaseline`].
    pub async fn require_known_schema(&self) -> Result<(), Error> {
        for node in self.nodes() {
            let found = node.store.schema_version().await;
            let found = found.map_err(|error| node.named(error))?;
            let error = match found.cmp(&latest_version()) {
                Ordering::Equal => continue,
                Ordering::Greater => self.newer_schema(found),
                Ordering::Less => self.outdated_schema(found),
            };
            return Err(node.named(error));
        }
        Ok(())
    }

    fn outdated_schema(&self, found: u32) -> Error {
        Error::OutdatedSchema {
            database: self.clickhouse.settings.database.clone(),
            found,
            needed: latest_version(),
        }
    }

    fn newer_schema(&self, found: u32) -> Error {
        Error::NewerSchema {
            database: self.clickhouse.settings.database.clone(),
            found,
            known: latest_version(),
        }
    }

    /// The least version that a program must know for this access.
    async fn needed_version(&self, access: Access) -> Result<u32, Error> {
        let needed = self
            .clickhouse
            .question(include_str!("../sql/needed_version.sql"));
        let needed = self.clickhouse.one::<Compatible>(needed).await?;
        Ok(match access {
            Access::Read => needed.readable_by,
            Access::Write => needed.writable_by,
        })
    }

    /// The latest version recorded, once it is certain that every one recorded is a migration of this program's history; 0
    /// where nothing is.
    ///
    /// It is asked for as an answer is, so that a user who may not do that is refused here.
    ///
    /// # Errors
    /// Those of any query, and [`Error::SchemaBeforeBaseline`].
    pub async fn schema_version(&self) -> Result<u32, Error> {
        let recorded = self
            .clickhouse
            .question(include_str!("../sql/recorded_versions.sql"));
        let recorded = match self.clickhouse.rows::<Recorded>(recorded).await {
            Ok(recorded) => recorded,
            // No table (60) or no database (81).
            Err(error) if matches!(error.code(), Some(60 | 81)) => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut all = recorded.iter().flatten();
        if let Some((version, name)) = all.find(|(version, name)| is_foreign(*version, name)) {
            return Err(Error::SchemaBeforeBaseline {
                database: self.clickhouse.settings.database.clone(),
                version: *version,
                name: name.clone(),
            });
        }
        let latest = recorded
            .iter()
            .map(|of_shard| of_shard.iter().map(|(version, _)| *version).max());
        Ok(latest.min().flatten().unwrap_or_default())
    }

    /// Runs a statement that does nothing where it was run before. Of two that create a table at once ClickHouse may
    /// answer the later that the table exists after all (code 57), which is as good.
    async fn run_idempotent(&self, statement: &str) -> Result<(), Error> {
        match self.clickhouse.change(statement).await {
            Err(error) if error.code() == Some(57) => Ok(()),
            other => other,
        }
    }
}

/// Whether this program has another migration at a version. What is beyond its latest is of a newer program.
fn is_foreign(version: u32, name: &str) -> bool {
    let mut known = (1_u32..).zip(&MIGRATIONS);
    known.any(|(of, known)| of == version && known.name != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_migration_begins_with_its_number() {
        for (version, Migration { name, .. }) in (1..).zip(&MIGRATIONS) {
            assert!(name.starts_with(&format!("{version:04}_")), "{name} at {version}");
        }
    }

    #[test]
    fn no_file_of_migrations_is_left_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap();
            assert!(MIGRATIONS.iter().any(|known| known.name == name), "{name}");
        }
    }
}
