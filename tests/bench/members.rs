//! Several that ingest from one topic, in one group.

use futures::future::try_join_all;

use crate::{
    cli::Sizes,
    ingest::{Lag, Meter, rate},
    load,
    report::{Column, Table, to_f64},
    stack::Stack,
};

/// How many ingest at the same time; the topic has eight partitions.
const MEMBERS: [u8; 3] = [1, 2, 4];

const COLUMNS: &[Column] = &[
    Column("events/s", 0),
    Column("CPU engine", 2),
    Column("rebalances", 0),
    Column("uncommitted", 0),
];

/// Has groups of several sizes ingest a full topic, each into a database of its own.
pub(crate) async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<Table> {
    let topic = stack.kafka("members", "nobody");
    load::fill(&topic, 1, load::options(sizes.events)).await?;
    let caption = "several ingest one topic of 8 partitions in one group, from when the first events are settled until all are\n  \
                   rebalances are those of all members; uncommitted are the events that were left then";
    let mut table = Table::new("members", caption.to_owned(), COLUMNS);
    for members in MEMBERS {
        let database = format!("members_{members}");
        stack.migrate(&database).await?;
        stack.wait_for_merges().await?;
        let kafka = stack.kafka("members", &database);
        let meter = Meter::start(stack)?;
        let starting = (0..members).map(|_| stack.ingest(&kafka, &database));
        let roles = try_join_all(starting).await?;
        let sum = async |metric: &str| {
            let counts = try_join_all(roles.iter().map(|role| role.metric(metric))).await?;
            anyhow::Ok(counts.into_iter().sum::<u64>())
        };
        let events_per_second = rate(sizes.events, async || sum("rollcall_records_total").await).await?;
        let rebalances = sum("rollcall_rebalances_total").await?;
        let lag = Lag::of(&kafka)?;
        let left = lag.lag().await?;
        lag.wait().await?;
        let figures = meter.stop(stack, None, events_per_second, sizes.events).await?;
        table.row(
            format!("{members} at a time"),
            [
                Some(events_per_second),
                Some(figures.engine_cpu),
                Some(to_f64(rebalances)),
                Some(to_f64(left)),
            ],
        );
        drop(roles);
        stack.drop_database(&database).await?;
    }
    Ok(table)
}
