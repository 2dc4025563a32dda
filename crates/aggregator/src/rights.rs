//! What each command needs to be granted in ClickHouse: the table of docs/operate.md, which a test compares.

use crate::{error::Error, settings::Settings, store::Store};

/// A command that uses ClickHouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `migrate`
    Migrate,
    /// `ingest`
    Ingest,
    /// `serve`
    Serve,
    /// `keys`
    Keys,
    /// `export`
    Export,
    /// `forget`
    Forget,
    /// `verify`
    Verify,
    /// `rebuild`
    Rebuild,
}

impl Role {
    /// The privileges that it needs on the whole database.
    pub const fn on_database(self) -> &'static [&'static str] {
        match self {
            Self::Migrate => &[
                "CREATE DATABASE",
                "CREATE TABLE",
                "CREATE VIEW",
                "ALTER TABLE",
                "ALTER VIEW",
                "DROP TABLE",
                "SELECT",
                "INSERT",
            ],
            Self::Ingest | Self::Forget => &["SELECT", "INSERT", "ALTER DELETE", "TRUNCATE"],
            Self::Serve | Self::Keys | Self::Export | Self::Verify => &["SELECT"],
            Self::Rebuild => &[
                "SELECT",
                "INSERT",
                "ALTER DELETE",
                "CREATE TABLE",
                "CREATE VIEW",
                "DROP TABLE",
                "DROP VIEW",
                "TRUNCATE",
            ],
        }
    }

    /// The tables of the database that it inserts into, where it may not into all.
    pub const fn inserts_into(self) -> &'static [&'static str] {
        match self {
            Self::Serve => &["api_key_uses"],
            Self::Keys => &["api_keys"],
            _ => &[],
        }
    }

    /// The tables of the server that it reads.
    pub const fn reads(self) -> &'static [&'static str] {
        match self {
            Self::Ingest | Self::Forget => &["system.processes"],
            Self::Rebuild => &["system.parts", "system.processes"],
            _ => &[],
        }
    }

    /// All of that, each as what stands behind `GRANT`.
    pub fn grants(self, settings: &Settings) -> Vec<String> {
        let database = quoted(&settings.database);
        let on_database = self
            .on_database()
            .iter()
            .map(|privilege| format!("{privilege} ON {database}.*"));
        let inserts = self.inserts_into().iter().flat_map(|table| {
            let all = settings.spread_over_shards(table);
            let tables = [(*table).to_owned()]
                .into_iter()
                .chain((all != *table).then_some(all));
            tables
                .map(|table| format!("INSERT ON {database}.{table}"))
                .collect::<Vec<_>>()
        });
        let reads = self.reads().iter().map(|table| format!("SELECT ON {table}"));
        let asks_shards = matches!(
            self,
            Self::Ingest | Self::Serve | Self::Keys | Self::Export | Self::Forget
        );
        let on_shards = (settings.cluster.is_some() && asks_shards).then(|| "READ ON REMOTE".to_owned());
        on_database.chain(inserts).chain(reads).chain(on_shards).collect()
    }

    /// Whether it is of no use to whoever is read-only. (`serve` then does not keep when keys were used.)
    pub const fn must_write(self) -> bool {
        matches!(
            self,
            Self::Migrate | Self::Ingest | Self::Keys | Self::Forget | Self::Rebuild
        )
    }
}

impl Store {
    /// Whether the profile of the user lets it change nothing, on any node.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn is_read_only(&self) -> Result<bool, Error> {
        let answers = self
            .of_each_node("SELECT toUInt8(getSetting('readonly') != 0)")
            .await?;
        Ok(answers.contains(&true))
    }

    /// Whether the user has all that stands behind a `GRANT`, on every node.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn is_granted(&self, grant: &str) -> Result<bool, Error> {
        let check = format!("CHECK GRANT {}", grant.replace('?', "??"));
        Ok(!self.of_each_node(&check).await?.contains(&false))
    }

    /// What each node says.
    async fn of_each_node(&self, statement: &str) -> Result<Vec<bool>, Error> {
        let mut answers = Vec::new();
        for node in self.nodes() {
            let connection = &node.store.clickhouse;
            // The database may not be there yet, and asking in its name would be refused.
            let client = connection.client.clone().with_database("default");
            let answer = connection.one::<u8>(client.query(statement)).await;
            answers.push(answer.map_err(|error| node.named(error))? != 0);
        }
        Ok(answers)
    }
}

/// A name as statements have it.
fn quoted(name: &str) -> String {
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_plain {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
    }
}
