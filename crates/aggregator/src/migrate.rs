//! The schema, in numbered statements.
//!
//! Each file of `migrations/` holds one statement that is idempotent of itself, so two programs that migrate at
//! once do no harm. `schema.sql` is what all of them amount to; a test holds the two against each other.

use clickhouse::error::Error as Source;

use crate::{Error, Store, error::exception_code};

/// A migration: its name, which begins with its number, and its statement.
type Migration = (&'static str, &'static str);

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../migrations/", $name, ".sql")))),*]
    };
}

/// Every migration; that at index `i` makes version `i + 1`.
pub(crate) static MIGRATIONS: [Migration; 37] = migrations![
    "0001_messages",
    "0002_annotations",
    "0003_registrations",
    "0004_activity_hourly",
    "0005_activity_daily",
    "0006_activity_weekly",
    "0007_users",
    "0008_conversations",
    "0009_conversation_days",
    "0010_conversation_annotations",
    "0011_activity_hourly_from_messages",
    "0012_activity_daily_from_hourly",
    "0013_activity_weekly_from_daily",
    "0014_users_from_messages",
    "0015_users_from_registrations",
    "0016_conversations_from_messages",
    "0017_conversation_days_from_messages",
    "0018_conversation_annotations_from_annotations",
    "0019_active_hourly",
    "0020_active_daily",
    "0021_active_weekly",
    "0022_active_daily_from_hourly",
    "0023_active_weekly_from_daily",
    "0024_incoming_activity",
    "0025_incoming_users",
    "0026_active_hourly_from_incoming",
    "0027_users_from_incoming",
    "0028_active_hourly_of_old_messages",
    "0029_drop_views_of_messages",
    "0030_drop_counted",
    "0031_active_hourly_mentors",
    "0032_active_daily_mentors",
    "0033_active_weekly_mentors",
    "0034_drop_first_user_and_last_model",
    "0035_conversations_first_day",
    "0036_conversations_mentors",
    "0037_messages_small_blocks",
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

/// How the schema of a database stands to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// As this program needs it.
    Current,
    /// Missing, or at an older version: `migrate` brings it up.
    Outdated {
        /// The version found; 0 where there is none.
        found: u32,
        /// The version needed.
        needed: u32,
    },
    /// Made by a newer program.
    Newer {
        /// The version found.
        found: u32,
        /// The version that this program knows.
        known: u32,
    },
}

/// The version that this program needs.
pub fn latest_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

impl Store {
    /// Creates the database and brings its schema up to [`latest_version`]; tells each migration to `applied` as
    /// it is made. Safe to run again, and at once with another.
    ///
    /// # Errors
    /// Those of any query, and [`Error::NewerSchema`].
    pub async fn migrate(&self, mut applied: impl FnMut(&str)) -> Result<(), Error> {
        let create = self
            .client
            .clone()
            .with_database("default")
            .query("CREATE DATABASE IF NOT EXISTS ?")
            .bind(clickhouse::sql::Identifier(&self.settings.database));
        self.run(create.execute()).await?;
        self.run_idempotent(CREATE_VERSIONS).await?;
        let found = self.schema_version().await?;
        let known = latest_version();
        if found > known {
            return Err(Error::NewerSchema {
                database: self.settings.database.clone(),
                found,
                known,
            });
        }
        for (version, (name, statement)) in (1_u32..).zip(&MIGRATIONS).skip_while(|(v, _)| *v <= found) {
            let made = self.run_idempotent(statement).await;
            // Another that migrates may be further on, and have dropped what this statement builds upon. All that is
            // to be dropped is dropped by whoever comes later, too.
            if let Err(error) = made
                && self.schema_version().await? < version
            {
                return Err(error);
            }
            let record = self
                .client
                .query("INSERT INTO schema_versions (version, name) VALUES (?, ?)")
                .bind(version)
                .bind(name);
            self.run(record.execute()).await?;
            applied(name);
        }
        Ok(())
    }

    /// How the schema stands to this program.
    ///
    /// # Errors
    /// Those of any query. A database or table that is not there is [`SchemaState::Outdated`], not an error.
    pub async fn schema_state(&self) -> Result<SchemaState, Error> {
        let found = match self.schema_version().await {
            Ok(version) => version,
            Err(Error::Refused(Source::BadResponse(text))) if is_missing(&text) => 0,
            Err(error) => return Err(error),
        };
        let needed = latest_version();
        Ok(match found.cmp(&needed) {
            std::cmp::Ordering::Less => SchemaState::Outdated { found, needed },
            std::cmp::Ordering::Equal => SchemaState::Current,
            std::cmp::Ordering::Greater => SchemaState::Newer { found, known: needed },
        })
    }

    async fn schema_version(&self) -> Result<u32, Error> {
        self.run(
            self.client
                .query("SELECT max(version) FROM schema_versions")
                .fetch_one(),
        )
        .await
    }

    /// Runs a statement that does nothing where it was run before. Of two that create a table at once ClickHouse may tell
    /// the later that the table exists after all (code 57); that is as good.
    async fn run_idempotent(&self, statement: &str) -> Result<(), Error> {
        let run = self.maintenance(statement).execute();
        match self.within(self.settings.maintenance_timeout(), run).await {
            Err(Error::Refused(Source::BadResponse(text))) if exception_code(&text) == Some(57) => Ok(()),
            other => other,
        }
    }
}

/// Whether ClickHouse says that a table (60) or a database (81) is not there.
fn is_missing(text: &str) -> bool {
    matches!(exception_code(text), Some(60 | 81))
}
