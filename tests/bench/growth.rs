//! What changes as the messages of the same users grow tenfold, twice.

use std::time::Duration;

use crate::{
    api::{Api, Repetition},
    cli::Sizes,
    history::Org,
    ingest, load, queries,
    report::{Column, Table, to_f64},
    stack::Stack,
};

const DATABASE: &str = "growth";
/// Days of the history, and of the questions.
const DAYS: u32 = 30;

const COLUMNS: &[Column] = &[
    Column("messages", 0),
    Column("bytes/event", 1),
    Column("events/s", 0),
    Column("usage", 1),
    Column("cohorts", 1),
    Column("transcripts", 1),
];

/// Grows the history tenfold twice; at each size asks, and ingests more events.
pub(crate) async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<Table> {
    stack.migrate(DATABASE).await?;
    let org = Org::of(sizes.growing_users, DAYS);
    org.register(stack, DATABASE).await?;
    let api = Api::start(stack, DATABASE).await?;
    let caption = format!(
        "{} users a day over {DAYS} days with ten times as many messages, twice; median milliseconds by day, and the rate of \
         {} events more",
        org.users, sizes.growing_events
    );
    let mut table = Table::new("growth", caption, COLUMNS);
    for (messages, of) in [
        (0..1, "a message of each a day"),
        (1..10, "ten times as many"),
        (10..100, "a hundred times as many"),
    ] {
        stack.define(DATABASE).await?;
        org.insert_messages(stack, DATABASE, messages).await?;
        stack.drop_message_views(DATABASE).await?;
        stack.wait_for_merges().await?;
        let count = to_f64(
            stack
                .sql()
                .number(DATABASE, "SELECT count() FROM messages")
                .await?,
        );
        let facts = "SELECT sum(rows) FROM system.parts WHERE active AND database = currentDatabase() \
                     AND table IN ('messages', 'annotations', 'registrations')";
        let bytes =
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()";
        let facts = to_f64(stack.sql().number(DATABASE, facts).await?);
        let bytes = to_f64(stack.sql().number(DATABASE, bytes).await?);
        let mut medians = Vec::new();
        for (_, question) in queries::plain(DAYS) {
            let repetition = Repetition {
                askers: 1,
                questions: 100,
                time: Duration::from_secs(sizes.seconds_each),
            };
            medians.push(api.time(&org.name, &question, repetition).await?.median());
        }
        let [usage, cohorts, transcripts] = medians[..] else {
            anyhow::bail!("there are three endpoints");
        };
        let rate = rate(stack, sizes.growing_events, table.len()).await?;
        table.row(
            of,
            [
                Some(count),
                Some(bytes / facts),
                Some(rate),
                usage,
                cohorts,
                transcripts,
            ],
        );
    }
    stack.sql().run(&format!("DROP DATABASE {DATABASE} SYNC")).await?;
    Ok(table)
}

/// Ingests events that were not there before; events per second.
async fn rate(stack: &Stack, events: u64, step: usize) -> anyhow::Result<f64> {
    let topic = format!("growth_{step}");
    let kafka = stack.kafka(&topic, &topic);
    load::fill(&kafka, u64::try_from(step)? + 2, load::options(events)).await?;
    let ingest = stack.ingest(&kafka, DATABASE).await?;
    ingest::rate(events, async || ingest.settled().await).await
}
