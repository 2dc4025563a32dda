//! The same topic into the same tables by ClickHouse's own Kafka table engine: what can be built with ClickHouse alone, tuned
//! as well as we know how.
//!
//! JSON is parsed once, into a table that stores nothing, which feeds the facts; from there on views make the rollups, by
//! our own definitions.
//! It checks the rules of events that a load breaks, so that the rows are equal.

use crate::{
    ingest::{COLUMNS, Figures, Lag, Meter, rate},
    report::Table,
    stack::Stack,
};

/// Each needs those before it; the last starts to consume.
const STATEMENTS: [&str; 6] = [
    include_str!("rival/parsed.sql"),
    include_str!("rival/messages.sql"),
    include_str!("rival/annotations.sql"),
    include_str!("rival/registrations.sql"),
    include_str!("rival/queue.sql"),
    include_str!("rival/parse.sql"),
];

/// Consumes the topic into a new database.
pub(crate) async fn measure(stack: &Stack, database: &str, events: u64) -> anyhow::Result<Figures> {
    stack.allow_kafka().await?;
    stack.migrate(database).await?;
    stack.define(database).await?;
    stack.wait_for_merges().await?;
    let kafka = stack.kafka("events", database);
    let cores = std::thread::available_parallelism()?;
    let lag = Lag::of(&kafka)?;
    let meter = Meter::start(stack)?;
    for statement in STATEMENTS {
        let statement = statement
            .replace("${brokers}", &kafka.bootstrap_servers)
            .replace("${topic}", &kafka.topic)
            .replace("${group}", &kafka.group_id)
            .replace("${consumers}", &cores.to_string());
        stack.sql().run_in(database, &statement).await?;
    }
    let events_per_second = rate(events, async || Ok(events.saturating_sub(lag.lag().await?))).await?;
    let figures = meter.stop(stack, None, events_per_second, events).await?;
    stack.sql().run_in(database, "DROP TABLE queue SYNC").await?;
    Ok(figures)
}

/// The tables whose merged rows differ between two databases, except that of changes, which nobody enters for the rival.
pub(crate) async fn differing_tables(stack: &Stack, ours: &str, theirs: &str) -> anyhow::Result<Vec<String>> {
    let tables = "SELECT name FROM tables WHERE database = '{db}' AND engine LIKE '%MergeTree' \
                  AND name NOT IN ('schema_versions', 'database_ids', 'changes') ORDER BY name";
    let tables = stack
        .sql()
        .run_in("system", &tables.replace("{db}", ours))
        .await?;
    let mut different = Vec::new();
    for table in tables.lines() {
        // Including computed ones, which `*` leaves out. The digest of a message is a hash that each makes in its own way.
        let columns = format!(
            "SELECT arrayStringConcat(groupArray(name), ', ') FROM columns \
             WHERE database = '{ours}' AND table = '{table}' AND name != 'digest'"
        );
        let columns = stack.sql().run_in("system", &columns).await?;
        let rows = format!(
            "SELECT count(), sum(sipHash64({})) FROM {table} FINAL",
            columns.trim()
        );
        if stack.sql().run_in(ours, &rows).await? != stack.sql().run_in(theirs, &rows).await? {
            different.push(table.to_owned());
        }
    }
    Ok(different)
}

/// The table of ours and the rival's.
pub(crate) fn table(ours: &Figures, theirs: &Figures) -> Table {
    let ratio = ours.events_per_second / theirs.events_per_second;
    let caption = format!(
        "the same topic by ClickHouse's Kafka table engine; all rows equal\n  rollcall is {ratio:.2} times as fast"
    );
    let mut table = Table::new("rival", caption, COLUMNS);
    theirs.fill(&mut table, "Kafka table engine");
    ours.fill(&mut table, "rollcall ingest");
    table
}
