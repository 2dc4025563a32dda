//! What is measured, and at what size.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use anyhow::ensure;
use clap::{Parser, ValueEnum, value_parser};
use serde::Serialize;

/// Measures Rollcall on this machine; prints tables and writes JSON.
#[derive(Debug, Parser)]
pub(crate) struct Cli {
    /// The sections to run; by default all. `rival`, `limits` and `freshness` include `ingest`
    #[arg(value_name = "SECTION")]
    sections: Vec<Section>,
    /// At the sizes of published figures: hours rather than minutes
    #[arg(long)]
    full: bool,
    /// Events in the topic
    #[arg(long, value_name = "N")]
    events: Option<NonZeroU64>,
    /// How often the topic is ingested, of which the median is shown; with --baseline how many pairs are run, by default 5
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroU32>,
    /// Events that are timed at each rate of `freshness`
    #[arg(long, value_name = "N")]
    samples: Option<NonZeroU32>,
    /// Active users a day of the organisations of `queries`
    #[arg(long, value_name = "N", value_delimiter = ',')]
    users: Vec<NonZeroU32>,
    /// Days that `queries` asks about
    #[arg(long, value_name = "N", value_delimiter = ',')]
    days: Vec<NonZeroU32>,
    /// Another build of `rollcall` to run in turns with this one: the sections ingest, freshness, queries and statements, with
    /// ratios of this to that
    #[arg(long, value_name = "PATH")]
    pub(crate) baseline: Option<PathBuf>,
    /// Runs this build on a cluster of so many shards and on one server in turns: the sections ingest and queries
    #[arg(long, value_name = "N", conflicts_with = "baseline", value_parser = value_parser!(u8).range(2..=16))]
    pub(crate) shards: Option<u8>,
    /// Where the JSON goes
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench.json"))]
    pub(crate) json: PathBuf,
    /// Passed by `cargo bench` to every benchmark
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// From a full topic to settled rollups
    Ingest,
    /// The same by ClickHouse's Kafka table engine
    Rival,
    /// What each part alone could do
    Limits,
    /// How soon an answer contains an event
    Freshness,
    /// The three endpoints, and the same answers without rollups
    Queries,
    /// Small statements over the engine's HTTP interface
    Statements,
    /// What changes as history grows tenfold twice
    Growth,
    /// Several that ingest one topic, in one group
    Members,
}

/// How much is measured.
#[derive(Debug, Serialize)]
pub(crate) struct Sizes {
    /// Events in the topic.
    pub(crate) events: u64,
    /// How often the topic is ingested.
    pub(crate) rounds: u32,
    /// Events that are timed at each rate.
    pub(crate) samples: u32,
    /// Active users a day of the organisations that the endpoints are asked about.
    pub(crate) users: Vec<u32>,
    /// Days that they are asked about.
    pub(crate) days: Vec<u32>,
    /// Messages of each active user a day.
    pub(crate) messages: u32,
    /// For how long each question is repeated, in seconds.
    pub(crate) seconds_each: u64,
    /// Active users a day of the growing organisation.
    pub(crate) growing_users: u32,
    /// Events that are ingested in addition to its messages.
    pub(crate) growing_events: u64,
}

impl Sizes {
    /// For a look: a quarter of an hour or more on two cores.
    fn quick() -> Self {
        Self {
            events: 1_000_000,
            rounds: 1,
            samples: 100,
            users: vec![1_000, 30_000],
            days: vec![7, 90],
            messages: 2,
            seconds_each: 1,
            growing_users: 1_000,
            growing_events: 200_000,
        }
    }

    /// For figures that are published.
    fn full() -> Self {
        Self {
            events: 5_000_000,
            rounds: 3,
            samples: 400,
            users: vec![1_000, 30_000, 300_000],
            days: vec![7, 90, 365],
            messages: 1,
            seconds_each: 10,
            growing_users: 10_000,
            growing_events: 1_000_000,
        }
    }
}

impl Cli {
    /// Whether a section is to run, for its own sake or because another builds on it.
    pub(crate) fn wants(&self, section: Section) -> bool {
        let on_ingest = [Section::Rival, Section::Limits, Section::Freshness];
        self.sections.is_empty()
            || self.sections.contains(&section)
            || (section == Section::Ingest && on_ingest.iter().any(|on| self.sections.contains(on)))
    }

    /// Whether a section is to be run on two builds.
    pub(crate) fn compares(&self, section: Section) -> bool {
        let is_known = self.shards.is_none() || [Section::Ingest, Section::Queries].contains(&section);
        is_known && (self.sections.is_empty() || self.sections.contains(&section))
    }

    /// How many times two builds are run.
    pub(crate) fn pairs(&self) -> u32 {
        self.rounds.map_or(5, NonZeroU32::get)
    }

    /// An error where a section cannot be run on two builds.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let alone = [Section::Rival, Section::Limits, Section::Growth, Section::Members];
        ensure!(
            self.baseline.is_none() || !self.sections.iter().any(|section| alone.contains(section)),
            "--baseline compares ingest, freshness, queries and statements only"
        );
        let spread = [Section::Ingest, Section::Queries];
        ensure!(
            self.shards.is_none() || self.sections.iter().all(|section| spread.contains(section)),
            "--shards compares ingest and queries only"
        );
        Ok(())
    }

    /// The requested sizes.
    pub(crate) fn sizes(&self) -> Sizes {
        let mut sizes = if self.full { Sizes::full() } else { Sizes::quick() };
        sizes.events = self.events.map_or(sizes.events, NonZeroU64::get);
        sizes.rounds = self.rounds.map_or(sizes.rounds, NonZeroU32::get);
        sizes.samples = self.samples.map_or(sizes.samples, NonZeroU32::get);
        for (asked, size) in [(&self.users, &mut sizes.users), (&self.days, &mut sizes.days)] {
            if !asked.is_empty() {
                *size = asked.iter().map(|number| number.get()).collect();
            }
        }
        sizes
    }
}
