//! `rollcall status`

mod page;
mod report;
mod text;

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use aggregator::{
    DiskSpace, Growth, Reports, Store, TableSize,
    migrate::{Access, SchemaState, latest_version},
};
use anyhow::{Context, anyhow, ensure};
use consumer::{Bounds, LetterCounts, Probe};

use crate::{cli::StatusOptions, clock, progress, settings::Settings};
use report::{ClickHouse, DeadLetters, Forecast, Ingestion, Kafka, Report, Schema, Shard, Table};

/// How long the brokers may take to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long they may take to say who is in the group. One that is away is waited for.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(3);
/// How much is read of the dead letters.
const LETTERS: Bounds = Bounds {
    letters: 100_000,
    time: Duration::from_secs(10),
};

/// Parts of a status, as errors name them.
const CLICKHOUSE: &str = "clickhouse";
const SCHEMA: &str = "schema";
const KAFKA: &str = "kafka";
const INGESTION: &str = "ingestion";
const TABLES: &str = "tables";
const FORECAST: &str = "forecast";
const DEAD_LETTERS: &str = "dead_letters";

/// Prints how far ingestion is and what is stored. Without settings of Kafka, what it has is not known.
///
/// # Errors
/// Where a part of it is not known, once all others are printed.
#[expect(clippy::print_stdout, reason = "the status is the output of this command")]
pub(crate) async fn run(
    settings: &Settings,
    kafka: Option<&consumer::Settings>,
    options: &StatusOptions,
) -> anyhow::Result<()> {
    let spinner = progress::spinner("asking Kafka and ClickHouse");
    let report = gather(settings, kafka).await;
    spinner.finish_and_clear();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text::render(&report));
    }
    let wrong: Vec<_> = report.errors.keys().copied().collect();
    ensure!(
        wrong.is_empty(),
        "not all is known, or as it should be: {}",
        wrong.join(", ")
    );
    Ok(())
}

/// What is wrong, by the part of the status.
#[derive(Debug, Default)]
struct Errors(BTreeMap<&'static str, String>);

impl Errors {
    fn add(&mut self, part: &'static str, error: impl Display) {
        self.0.insert(part, format!("{error:#}"));
    }

    /// What is known of a part; notes why it is not.
    fn known<T>(&mut self, part: &'static str, asked: anyhow::Result<T>) -> Option<T> {
        asked.map_err(|error| self.add(part, error)).ok()
    }
}

/// What ClickHouse has, where it answers at all.
struct Stored {
    versions: BTreeMap<u32, Option<String>>,
    schema: anyhow::Result<(u32, SchemaState)>,
    database: anyhow::Result<String>,
    reports: anyhow::Result<Reports>,
    sizes: anyhow::Result<Vec<TableSize>>,
    disks: anyhow::Result<BTreeMap<u32, DiskSpace>>,
    growth: anyhow::Result<Growth>,
}

async fn gather(settings: &Settings, kafka: Option<&consumer::Settings>) -> Report {
    let now = clock::now();
    let store = Store::new(&settings.clickhouse);
    // In boxes, as each waits for several statements.
    let (stored, read, letters) = tokio::join!(
        Box::pin(stored(&store, now)),
        Box::pin(read(kafka)),
        Box::pin(count_letters(kafka))
    );
    let mut errors = Errors::default();
    let at = || format!("ClickHouse at {}", settings.clickhouse.url);
    let stored = errors.known(CLICKHOUSE, stored.with_context(at));
    let (kafka, probe) = errors.known(KAFKA, read).unzip();
    // What the group has read may be in another database than this one.
    let database = stored.as_ref().and_then(|stored| stored.database.as_ref().ok());
    if let (Some(probe), Some(database)) = (probe, database) {
        errors.known(
            KAFKA,
            probe
                .check_database(database, BROKER_TIMEOUT)
                .await
                .map_err(Into::into),
        );
    }
    let letters = errors.known(DEAD_LETTERS, letters);
    let mut report = Report {
        at: now.to_rfc3339_seconds(),
        clickhouse: None,
        shards: None,
        kafka,
        ingestion: None,
        tables: None,
        total: None,
        forecast: None,
        dead_letters: letters.map(|counts| DeadLetters::new(&settings.kafka.dead_letter_topic, counts)),
        errors: BTreeMap::new(),
    };
    if let Some(stored) = stored {
        add_stored(&mut report, &mut errors, &settings.clickhouse, stored);
    }
    report.errors = errors.0;
    report
}

/// Adds what ClickHouse has.
fn add_stored(report: &mut Report, errors: &mut Errors, settings: &aggregator::Settings, stored: Stored) {
    let state = stored.schema.as_ref().ok().map(|(_, state)| *state);
    match state {
        Some(SchemaState::Outdated { found, needed }) => errors.add(
            SCHEMA,
            format!("at version {found} of {needed}: run `rollcall migrate`"),
        ),
        Some(SchemaState::Newer { found, known }) => errors.add(
            SCHEMA,
            format!("at version {found}, newer than this program's {known}: upgrade the program"),
        ),
        Some(SchemaState::Current) | None => {}
    }
    let schema = errors.known(SCHEMA, stored.schema);
    let schema = schema.map(|(version, state)| Schema::new(version, latest_version(), state));
    report.ingestion = errors
        .known(INGESTION, excused(state, stored.reports))
        .map(Ingestion::from);
    let sizes = errors.known(TABLES, stored.sizes);
    let disks = errors.known(FORECAST, stored.disks);
    let growth = errors.known(FORECAST, excused(state, stored.growth));
    let shards = Shard::all(
        &stored.versions,
        sizes.as_deref(),
        disks.as_ref(),
        growth.as_ref(),
    );
    report.forecast = match (&sizes, &disks, &growth) {
        (Some(_), Some(_), Some(growth)) => Some(Forecast::new(growth, &shards)),
        _ => None,
    };
    if let Some(lacking) = lacking(&shards) {
        errors.add(CLICKHOUSE, lacking);
    }
    report.clickhouse = Some(ClickHouse::new(settings, &stored.versions, schema));
    report.shards = Some(shards);
    if let Some(sizes) = sizes {
        let tables = Table::all(sizes);
        report.total = Some(report::Stored::sum(tables.iter().map(|table| table.stored)));
        report.tables = Some(tables);
    }
}

/// Names the shards that are away, and those that have come back empty.
fn lacking(shards: &[Shard]) -> Option<String> {
    let away = |shard: &&Shard| shard.version.is_none();
    let empty = |shard: &&Shard| shard.version.is_some() && shard.rows.is_none();
    let has_some = shards.iter().any(|shard| shard.rows.is_some());
    let named = |what, of: &dyn Fn(&&Shard) -> bool| {
        let numbers = shards.iter().filter(of).map(|shard| shard.number.to_string());
        let numbers: Vec<_> = numbers.collect();
        (!numbers.is_empty()).then(|| format!("{what}: {}", numbers.join(", ")))
    };
    let away = named("shards that are away, and in no number here", &away);
    let empty = named("shards without any table of the database", &empty).filter(|_| has_some);
    let lacking: Vec<_> = away.into_iter().chain(empty).collect();
    (!lacking.is_empty()).then(|| lacking.join("; "))
}

/// What was asked of tables. Where they are not those that this program knows, that is why they do not answer.
fn excused<T>(schema: Option<SchemaState>, asked: anyhow::Result<T>) -> anyhow::Result<T> {
    match schema {
        None | Some(SchemaState::Current) => asked,
        Some(_) => asked.map_err(|_| anyhow!("the schema is not the one that this program knows")),
    }
}

/// Why something is not known that all shards are asked for.
const AWAY: &str = "a shard is away";

/// Asks ClickHouse.
///
/// # Errors
/// Where it does not answer at all.
async fn stored(store: &Store, now: events::Timestamp) -> anyhow::Result<Stored> {
    let versions = store.shard_versions().await?;
    let schema = async {
        let state = store.schema_state(Access::Write).await?;
        Ok((store.schema_version().await?, state))
    };
    // What needs all shards is not asked while one is away.
    let (schema, database, reports) = if versions.values().all(Option::is_some) {
        let (schema, database, reports) = tokio::join!(schema, store.database_id(), store.reports());
        (schema, database.map_err(Into::into), reports.map_err(Into::into))
    } else {
        (Err(anyhow!(AWAY)), Err(anyhow!(AWAY)), Err(anyhow!(AWAY)))
    };
    let (sizes, disks, growth) = tokio::join!(store.table_sizes(), store.disks(), store.growth(now));
    Ok(Stored {
        versions,
        schema,
        database,
        reports,
        sizes: sizes.map_err(Into::into),
        disks: disks.map_err(Into::into),
        growth: growth.map_err(Into::into),
    })
}

/// Why nothing is known of Kafka where no settings lead to one.
const NO_KAFKA: &str =
    "not configured: what serves the data in --data-dir has none, and kafka.bootstrap_servers is not set";

/// Asks Kafka how far the group has read.
///
/// # Errors
/// Where the brokers do not answer, or not all of it.
async fn read(settings: Option<&consumer::Settings>) -> anyhow::Result<(Kafka, Probe)> {
    let settings = settings.context(NO_KAFKA)?;
    let probe = Probe::new(settings)?;
    let partitions = probe.progress(BROKER_TIMEOUT).await?;
    let members = probe.members(MEMBERS_TIMEOUT).await?;
    Ok((Kafka::new(settings, members, partitions), probe))
}

/// Counts the dead letters.
///
/// # Errors
/// Where the brokers do not answer, or not all of it.
async fn count_letters(settings: Option<&consumer::Settings>) -> anyhow::Result<LetterCounts> {
    let settings = settings.context(NO_KAFKA)?;
    Ok(consumer::count_letters(settings, LETTERS, BROKER_TIMEOUT).await?)
}
