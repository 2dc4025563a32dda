//! How fast Rollcall is, with real parts, each in a process of its own, all on this machine. In reading order:
//!
//! - [`cli`]: which sections are run, and at what size
//! - [`stack`], [`part`], [`sql`]: the parts, and what they cost
//! - [`load`]: topics full of events
//! - [`ingest`], [`rival`], [`limits`]: from a full topic to settled rollups, by us, by ClickHouse's own Kafka engine,
//!   and by each part alone
//! - [`freshness`]: how soon an answer contains an event
//! - [`queries`]: the three endpoints, and what the same answers cost without rollups
//! - [`statements`]: what the engine's HTTP interface costs
//! - [`members`]: several that ingest, in one group
//! - [`growth`]: what changes with a longer history
//! - [`compare`]: this build and another one in turns, or a cluster and one server
//! - [`history`], [`api`], [`times`]: histories of any length, the endpoints over HTTP, medians
//! - [`report`]: a table for people, JSON for programs

mod api;
mod cli;
mod compare;
mod freshness;
mod growth;
mod history;
mod ingest;
mod limits;
mod load;
mod members;
mod part;
mod queries;
mod report;
mod rival;
mod sql;
mod stack;
mod statements;
mod times;

use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;

use cli::{Cli, Section, Sizes};
use report::Report;
use stack::Stack;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.bench {
        eprintln!("this is not a test: `cargo bench --bench rollcall` runs it");
        return ExitCode::SUCCESS;
    }
    let measured = tokio::select! {
        measured = measure(&cli) => measured,
        // Dropping the measurement ends every process that it started.
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(anyhow::anyhow!("interrupted")),
            Err(error) => Err(error.into()),
        },
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    cli.check()?;
    let sizes = cli.sizes();
    let mut report = Report::new(&sizes, &cli.json);
    if let Some(baseline) = &cli.baseline {
        compare::builds(cli, &sizes, &mut report, baseline).await?;
        return report.end();
    }
    if let Some(shards) = cli.shards {
        compare::shards(cli, &sizes, &mut report, shards).await?;
        return report.end();
    }
    let stack = Stack::start().await?;
    if cli.wants(Section::Statements) {
        report.add(&statements::measure(&stack).await?)?;
    }
    if cli.wants(Section::Ingest) {
        let peak = from_one_topic(cli, &stack, &sizes, &mut report).await?;
        if cli.wants(Section::Freshness) {
            report.add(&freshness::measure(&stack, &sizes, peak).await?)?;
        }
    }
    if cli.wants(Section::Queries) {
        report.add(&queries::measure(&stack, &sizes).await?)?;
    }
    if cli.wants(Section::Growth) {
        report.add(&growth::measure(&stack, &sizes).await?)?;
    }
    if cli.wants(Section::Members) {
        report.add(&members::measure(&stack, &sizes).await?)?;
    }
    report.end()
}

/// The sections that read one full topic, ours and the rival's in turns, so that whatever else the machine does slows down
/// both. Returns our events per second.
async fn from_one_topic(cli: &Cli, stack: &Stack, sizes: &Sizes, report: &mut Report) -> anyhow::Result<f64> {
    let tally = load::fill(&stack.kafka("events", "nobody"), 1, load::options(sizes.events)).await?;
    let (mut ours, mut rivals) = (Vec::new(), Vec::new());
    for round in 1..=sizes.rounds {
        let (own, theirs) = (format!("ours_{round}"), format!("rival_{round}"));
        ours.push(ingest::measure(stack, &own, sizes.events).await?);
        if cli.wants(Section::Rival) {
            rivals.push(rival::measure(stack, &theirs, sizes.events).await?);
            let different = rival::differing_tables(stack, &own, &theirs).await?;
            if !different.is_empty() {
                bail!("ours and the rival's rows differ in {}", different.join(", "));
            }
            stack.sql().run(&format!("DROP DATABASE {theirs} SYNC")).await?;
        }
        stack.sql().run(&format!("DROP DATABASE {own} SYNC")).await?;
    }
    let ours = ingest::median(&mut ours);
    report.add(&ingest::table(&tally, &ours))?;
    if cli.wants(Section::Rival) {
        report.add(&rival::table(&ours, &ingest::median(&mut rivals)))?;
    }
    if cli.wants(Section::Limits) {
        let limits = limits::measure(stack, sizes.events).await?;
        report.add(&limits::table(&limits, ours.events_per_second))?;
    }
    Ok(ours.events_per_second)
}
