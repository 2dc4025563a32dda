//! This build and another one in turns, or a cluster and one server, so that whatever else the machine does slows down both,
//! and the ratios of their figures.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

use crate::{
    api::{Api, Repetition, TIMED_OUT},
    cli::{Cli, Section, Sizes},
    freshness::Pipeline,
    history::Org,
    ingest, load, queries,
    report::{Column, Report, Table},
    stack::Stack,
    statements,
};

/// The database of the queries; every engine has its own.
const DATABASE: &str = "queries";
/// How often a question is asked before it is timed.
const WARM_UP: u32 = 5;
/// The loads, in events per second, during which freshness is sampled.
const RATES: [(&str, f64); 3] = [
    ("100 events/s", 100.0),
    ("1,000 events/s", 1_000.0),
    ("10,000 events/s", 10_000.0),
];

const COLUMNS: &[Column] = &[
    Column("this", 2),
    Column("baseline", 2),
    Column("ratio", 3),
    Column("least", 3),
    Column("greatest", 3),
];

/// A build, its name for databases and topics, and its engine.
struct Build {
    name: &'static str,
    stack: Stack,
}

/// Two builds, and how often each is measured.
struct Comparison {
    builds: [Build; 2],
    pairs: u32,
}

/// Runs the selected sections on both builds.
pub(crate) async fn builds(
    cli: &Cli,
    sizes: &Sizes,
    report: &mut Report,
    baseline: &Path,
) -> anyhow::Result<()> {
    let baseline = baseline.canonicalize().with_context(|| {
        format!(
            "--baseline: cannot find {}; cargo runs the benchmark in crates/rollcall: give an absolute path",
            baseline.display()
        )
    })?;
    let this = Stack::start().await?;
    let baseline = Stack::of_build(&baseline, Arc::clone(&this.broker)).await?;
    measure(cli, sizes, report, [this, baseline]).await
}

/// Runs the selected sections on a cluster of so many shards, and on one server as the baseline.
pub(crate) async fn shards(cli: &Cli, sizes: &Sizes, report: &mut Report, shards: u8) -> anyhow::Result<()> {
    let one = Stack::start().await?;
    let cluster = Stack::on_shards(shards, Arc::clone(&one.broker)).await?;
    measure(cli, sizes, report, [cluster, one]).await
}

async fn measure(cli: &Cli, sizes: &Sizes, report: &mut Report, stacks: [Stack; 2]) -> anyhow::Result<()> {
    let [this, baseline] = stacks;
    let comparison = Comparison {
        builds: [("this", this), ("baseline", baseline)].map(|(name, stack)| Build { name, stack }),
        pairs: cli.pairs(),
    };
    if cli.compares(Section::Statements) {
        report.add(&comparison.statements().await?)?;
    }
    if cli.compares(Section::Ingest) {
        report.add(&comparison.ingest(sizes).await?)?;
    }
    if cli.compares(Section::Freshness) {
        report.add(&comparison.freshness(sizes).await?)?;
    }
    if cli.compares(Section::Queries) {
        report.add(&comparison.queries(sizes).await?)?;
    }
    Ok(())
}

impl Comparison {
    async fn statements(&self) -> anyhow::Result<Table> {
        for build in &self.builds {
            statements::prepare(build.stack.sql()).await?;
        }
        let what = "median wall time of small statements over the engine's HTTP interface, in milliseconds";
        let table = self.in_turns("statements", what, async |build, _| {
            let times = statements::time(build.stack.sql()).await?;
            let medians = times
                .into_iter()
                .map(|(name, mut times)| (name.to_owned(), times.median()));
            Ok(medians.collect())
        });
        let table = table.await?;
        for build in &self.builds {
            statements::drop_database(build.stack.sql()).await?;
        }
        Ok(table)
    }

    async fn ingest(&self, sizes: &Sizes) -> anyhow::Result<Table> {
        let kafka = self.builds[0].stack.kafka("events", "nobody");
        load::fill(&kafka, 1, load::options(sizes.events)).await?;
        let what =
            "from a full topic to settled rollups; CPU in seconds per million events, memory at its peak";
        let table = self.in_turns("ingest", what, async |build, pair| {
            let database = format!("{}_{pair}", build.name);
            let figures = ingest::measure(&build.stack, &database, sizes.events).await?;
            build.stack.drop_database(&database).await?;
            Ok(figures.named())
        });
        table.await
    }

    async fn freshness(&self, sizes: &Sizes) -> anyhow::Result<Table> {
        let what = "milliseconds from the broker's acknowledgement of an event to an answer that contains it";
        let table = self.in_turns("freshness", what, async |build, pair| {
            let database = format!("fresh_{}_{pair}", build.name);
            let pipeline = Pipeline::start(&build.stack, &database).await?;
            let mut numbers = Vec::new();
            for (index, (of, rate)) in RATES.into_iter().enumerate() {
                let org = format!("fresh-{index}");
                let mut sampled = pipeline.sample(&org, rate, sizes.samples).await?;
                numbers.push((format!("median at {of}"), sampled.times.median()));
                numbers.push((format!("p99 at {of}"), sampled.times.p99()));
                numbers.push((format!("parts of a table after {of}"), Some(sampled.parts)));
            }
            drop(pipeline);
            build.stack.drop_database(&database).await?;
            build.stack.wait_for_merges().await?;
            Ok(numbers)
        });
        table.await
    }

    async fn queries(&self, sizes: &Sizes) -> anyhow::Result<Table> {
        let longest = sizes.days.iter().max().context("no days are asked for")?;
        let orgs: Vec<Org> = sizes
            .users
            .iter()
            .map(|users| Org::of(*users, *longest))
            .collect();
        let mut apis = Vec::new();
        for Build { name, stack } in &self.builds {
            stack.migrate(DATABASE).await?;
            for org in &orgs {
                org.register(stack, DATABASE).await?;
                org.insert_messages(stack, DATABASE, 0..sizes.messages).await?;
                org.annotate(stack, DATABASE, *longest).await?;
            }
            stack.rebuild(DATABASE).await?;
            stack.wait_for_merges().await?;
            // What another build holds instead, it reads when it is asked.
            if stack.is_this_build() {
                queries::observe(stack, DATABASE).await?;
            }
            apis.push((*name, Api::of_servers(stack, DATABASE, 2).await?));
        }
        self.check_equal_answers(&apis, &orgs, sizes).await?;
        let what = "milliseconds of the three endpoints: the first question after `serve` has started, and of those to two \
                    `serve` medians and 99th percentiles one at a time, and medians 16 at a time";
        let table = self.in_turns("queries", what, async |build, _| {
            let api = apis.iter().find(|(name, _)| *name == build.name);
            let (_, api) = api.context("every build has an API")?;
            let mut numbers = Vec::new();
            for org in &orgs {
                for days in &sizes.days {
                    for (name, question) in queries::all(*days) {
                        let of = format!("{name}, {} users, {days} days", org.users);
                        let fresh = Api::start(&build.stack, DATABASE).await?;
                        let asked = Instant::now();
                        let answer = fresh.ask(&org.name, &question, TIMED_OUT).await?;
                        let first = answer.map(|_| asked.elapsed().as_secs_f64() * 1e3);
                        numbers.push((format!("{of}, first"), first));
                        let mut repetition = Repetition {
                            askers: 1,
                            questions: 200,
                            time: Duration::from_secs(sizes.seconds_each),
                        };
                        let mut alone = api.time(&org.name, &question, repetition).await?;
                        (repetition.askers, repetition.questions) = (16, 1_600);
                        let together = api.time(&org.name, &question, repetition).await?.median();
                        numbers.push((of.clone(), alone.median()));
                        numbers.push((format!("{of}, p99"), alone.p99()));
                        numbers.push((format!("{of}, at 16"), together));
                    }
                }
            }
            Ok(numbers)
        });
        let table = table.await?;
        for build in &self.builds {
            build.stack.drop_database(DATABASE).await?;
        }
        Ok(table)
    }

    /// Warms all builds up with every question, and compares their answers: a build that answers something else is not
    /// faster.
    async fn check_equal_answers(
        &self,
        apis: &[(&str, Api)],
        orgs: &[Org],
        sizes: &Sizes,
    ) -> anyhow::Result<()> {
        for org in orgs {
            for (name, question) in sizes.days.iter().flat_map(|days| queries::all(*days)) {
                let mut answers = Vec::new();
                for (_, api) in apis {
                    for _ in 0..WARM_UP {
                        if api.ask(&org.name, &question, TIMED_OUT).await?.is_none() {
                            break;
                        }
                    }
                    // One that took too long answers nothing, and its time is not shown.
                    answers.extend(api.ask(&org.name, &question, TIMED_OUT).await?);
                }
                answers.dedup();
                ensure!(
                    answers.len() <= 1,
                    "the builds answer differently: {name} of {}",
                    org.name
                );
            }
        }
        Ok(())
    }

    /// Measures the builds in turns. Returns the medians and their ratio, which has no pair of which one is `None`.
    async fn in_turns(
        &self,
        section: &'static str,
        what: &str,
        run: impl AsyncFn(&Build, u32) -> anyhow::Result<Vec<(String, Option<f64>)>>,
    ) -> anyhow::Result<Table> {
        let caption = format!(
            "{what}\n  medians of {} runs of each build in turns; ratio is the median of this / baseline of each pair",
            self.pairs
        );
        let mut table = Table::new(section, caption, COLUMNS);
        let mut pairs = Vec::new();
        for pair in 1..=self.pairs {
            let [this, baseline] = &self.builds;
            pairs.push((run(this, pair).await?, run(baseline, pair).await?));
        }
        let names = pairs.first().map_or(&[][..], |(this, _)| this);
        for (row, (name, _)) in names.iter().enumerate() {
            let number = |run: &[(String, Option<f64>)]| run.get(row).and_then(|(_, number)| *number);
            let numbers: Vec<_> = pairs
                .iter()
                .map(|(this, baseline)| (number(this), number(baseline)))
                .collect();
            let ratios = numbers
                .iter()
                .filter_map(|(this, baseline)| Some((*this)? / (*baseline)?));
            let ratios = sorted(ratios);
            table.row(
                name.as_str(),
                [
                    median(&sorted(numbers.iter().filter_map(|(this, _)| *this))),
                    median(&sorted(numbers.iter().filter_map(|(_, baseline)| *baseline))),
                    median(&ratios),
                    ratios.first().copied(),
                    ratios.last().copied(),
                ],
            );
        }
        Ok(table)
    }
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_unstable_by(f64::total_cmp);
    numbers
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}
