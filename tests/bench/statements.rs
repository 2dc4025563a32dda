//! How long the smallest statements take over the engine's HTTP interface: the cost of the interface itself.

use std::time::Instant;

use crate::{
    report::{Column, Table},
    sql::Sql,
    stack::Stack,
    times::Times,
};

const DATABASE: &str = "statements";
const WARM_UP: u32 = 20;
const SAMPLES: u32 = 200;

const COLUMNS: &[Column] = &[Column("median", 2), Column("p99", 2), Column("worst", 2)];

/// The statements that are repeated, one at a time.
const STATEMENTS: [(&str, &str); 2] = [
    ("SELECT 1", "SELECT 1"),
    ("insert of one row", "INSERT INTO numbers VALUES (1)"),
];

/// Runs them on one build.
pub(crate) async fn measure(stack: &Stack) -> anyhow::Result<Table> {
    prepare(stack.sql()).await?;
    let caption = "small statements over the engine's HTTP interface, in milliseconds";
    let mut table = Table::new("statements", caption.to_owned(), COLUMNS);
    for (name, mut times) in time(stack.sql()).await? {
        table.row(name, [times.median(), times.p99(), times.worst()]);
    }
    drop_database(stack.sql()).await?;
    Ok(table)
}

/// Makes the table that a row is inserted into.
pub(crate) async fn prepare(sql: &Sql) -> anyhow::Result<()> {
    sql.run(&format!("CREATE DATABASE {DATABASE}")).await?;
    let table = "CREATE TABLE numbers (number UInt64) ENGINE = MergeTree ORDER BY number";
    sql.run_in(DATABASE, table).await?;
    Ok(())
}

/// Drops what [`prepare`] made.
pub(crate) async fn drop_database(sql: &Sql) -> anyhow::Result<()> {
    sql.run(&format!("DROP DATABASE {DATABASE} SYNC")).await.map(drop)
}

/// How long each statement takes, [`SAMPLES`] times.
pub(crate) async fn time(sql: &Sql) -> anyhow::Result<Vec<(&'static str, Times)>> {
    let mut all = Vec::new();
    for (name, statement) in STATEMENTS {
        let mut times = Times::default();
        for sample in 0..WARM_UP + SAMPLES {
            let started = Instant::now();
            sql.run_in(DATABASE, statement).await?;
            times.extend((sample >= WARM_UP).then(|| started.elapsed()));
        }
        all.push((name, times));
    }
    Ok(all)
}
