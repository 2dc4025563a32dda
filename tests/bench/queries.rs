//! The three endpoints over HTTP, and what the same answers cost without rollups.

use std::time::{Duration, Instant};

use aggregator::Store;
use anyhow::{Context, ensure};
use events::Timestamp;
use serde_json::Value;

use crate::{
    api::{Api, Repetition, TIMED_OUT},
    cli::Sizes,
    history::{self, Org},
    report::{Column, Table, to_f64},
    stack::Stack,
    times::Times,
};

const DATABASE: &str = "queries";
const MENTOR: &str = "mentor-7";
const MILLION: f64 = 1e6;
/// The days whose conversations are annotated.
const ANNOTATED_DAYS: u32 = 90;
/// How many conversations are streamed in one answer, about.
const STREAMED: u32 = 1_000_000;

/// How often a question is asked before it is timed.
const WARM_UP: u32 = 5;

/// How often a question is timed just after an insert.
const INSERTS: u32 = 20;
/// The first message number of these inserts.
const INSERTED: u32 = 10_000;

/// How long the same answer may take from the message table: of many million messages some take minutes.
const WITHOUT_ROLLUPS: Duration = Duration::from_secs(60);

const COLUMNS: &[Column] = &[
    Column("first", 1),
    Column("median", 1),
    Column("p99", 1),
    Column("asked", 0),
    Column("median after an insert", 1),
    Column("worst after an insert", 1),
    Column("median at 16", 1),
    Column("p99 at 16", 1),
    Column("asked at 16", 0),
    Column("from messages", 0),
    Column("times as long", 1),
];

/// A question, to the API and to the message table.
struct Question {
    name: &'static str,
    endpoint: &'static str,
    /// The names of the API's numbers whose sum equals that of the statement.
    counts: &'static [&'static str],
    statement: &'static str,
    mentor: Option<Mentor>,
}

/// How a question is narrowed to a mentor.
struct Mentor {
    parameter: &'static str,
    /// The condition in the statement.
    condition: &'static str,
}

const USAGE: Question = Question {
    name: "usage-summary",
    endpoint: "usage-summary/?",
    counts: &["user_count"],
    statement: include_str!("queries/usage.sql"),
    mentor: None,
};
const COHORTS: Question = Question {
    name: "cohorts",
    endpoint: "user-cohorts-over-time/?",
    counts: &["new_users", "veteran_users"],
    statement: include_str!("queries/cohorts.sql"),
    mentor: None,
};
const TRANSCRIPTS: Question = Question {
    name: "transcripts, 100",
    endpoint: "transcripts/?page=1&page_size=100&",
    counts: &["message_count"],
    statement: include_str!("queries/transcripts.sql"),
    mentor: None,
};
const QUESTIONS: [Question; 5] = [
    USAGE,
    COHORTS,
    Question {
        name: "cohorts, one mentor",
        mentor: Some(Mentor {
            parameter: "mentor_id",
            condition: "AND mentor_id = 'mentor-7'",
        }),
        ..COHORTS
    },
    TRANSCRIPTS,
    Question {
        name: "transcripts, 100, one mentor",
        mentor: Some(Mentor {
            parameter: "mentor",
            condition: "AND mentor = 'mentor-7'",
        }),
        ..TRANSCRIPTS
    },
];

/// Lists that are asked for of the API alone: names, and what is asked of the last `days` days.
fn lists(days: u32) -> [(&'static str, String); 3] {
    let (first, last) = history::range(days);
    let page =
        |page: u32| format!("transcripts/?page={page}&page_size=100&start_date={first}&end_date={last}");
    let (past, _) = history::range(days.div_ceil(2));
    [
        (
            "transcripts, 100, one topic in twenty",
            format!("{}&topics=one+in+twenty", page(1)),
        ),
        ("transcripts, page 500", page(500)),
        (
            "transcripts, 100, the older half",
            format!("transcripts/?page=1&page_size=100&start_date={first}&end_date={past}"),
        ),
    ]
}

/// Observes what has ended, as ingestion does.
pub(crate) async fn observe(stack: &Stack, database: &str) -> anyhow::Result<()> {
    let store = Store::new(&stack.clickhouse(database));
    let end = Timestamp::end_of(history::range(1).1);
    store.observe_users(end).await?;
    store.observe_conversations(end).await?;
    Ok(())
}

/// The endpoints without a mentor, for [`crate::growth`]: names, and what is asked of the last `days` days.
pub(crate) fn plain(days: u32) -> [(&'static str, String); 3] {
    [USAGE, COHORTS, TRANSCRIPTS].map(|question| (question.name, question.url(days)))
}

/// All questions, for [`crate::compare`]: names, and what is asked of the last `days` days.
pub(crate) fn all(days: u32) -> impl Iterator<Item = (&'static str, String)> {
    QUESTIONS
        .map(|question| (question.name, question.url(days)))
        .into_iter()
        .chain(lists(days))
}

/// Makes a history of each organisation, and asks about it.
pub(crate) async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<Table> {
    stack.migrate(DATABASE).await?;
    stack.define(DATABASE).await?;
    let longest = sizes
        .days
        .iter()
        .copied()
        .max()
        .context("no days are asked for")?;
    let orgs: Vec<Org> = sizes.users.iter().map(|users| Org::of(*users, longest)).collect();
    for org in &orgs {
        org.register(stack, DATABASE).await?;
        org.insert_messages(stack, DATABASE, 0..sizes.messages).await?;
        org.annotate(stack, DATABASE, ANNOTATED_DAYS).await?;
    }
    stack.wait_for_merges().await?;
    observe(stack, DATABASE).await?;
    let messages = "SELECT count() FROM messages";
    let messages = stack.sql().number(DATABASE, messages).await?;

    let api = Api::start(stack, DATABASE).await?;
    let mut rows = Vec::new();
    for org in &orgs {
        for days in &sizes.days {
            for question in &QUESTIONS {
                let name = format!("{}, {} users, {days} days", question.name, org.users);
                rows.push((name, question.measure(stack, &api, (org, *days), sizes).await?));
            }
            for (name, url) in lists(*days) {
                let name = format!("{name}, {} users, {days} days", org.users);
                rows.push((name, measure_list(&api, org, &url, sizes).await?));
            }
        }
    }
    let streamed = match orgs.iter().max_by_key(|org| org.users) {
        Some(org) => stream(stack, org, longest).await?,
        None => String::new(),
    };
    let caption = format!(
        "the three endpoints by day, in milliseconds, asked for the first time, one at a time, one at a time after a message was inserted, \
         and 16 at a time; \
         what took longer than half a minute, or from the message table than a minute, is not shown\n  \
         {:.1} million messages; users are those active a day; serve had {:.0} MiB at its peak; {streamed}",
        to_f64(messages) / MILLION,
        api.peak_mib()?
    );
    let mut table = Table::new("queries", caption, COLUMNS);
    for (name, numbers) in rows {
        table.row(name, numbers);
    }
    stack.sql().run(&format!("DROP DATABASE {DATABASE} SYNC")).await?;
    Ok(table)
}

async fn measure_list(api: &Api, org: &Org, url: &str, sizes: &Sizes) -> anyhow::Result<[Option<f64>; 11]> {
    let asked = Instant::now();
    let answer = api.ask(&org.name, url, TIMED_OUT).await?;
    let first = answer.map(|_| asked.elapsed().as_secs_f64() * 1e3);
    for _ in 0..WARM_UP {
        api.ask(&org.name, url, TIMED_OUT).await?;
    }
    let mut repetition = Repetition {
        askers: 1,
        questions: 200,
        time: Duration::from_secs(sizes.seconds_each),
    };
    let mut alone = api.time(&org.name, url, repetition).await?;
    (repetition.askers, repetition.questions) = (16, 1_600);
    let mut together = api.time(&org.name, url, repetition).await?;
    let count = |times: usize| u64::try_from(times).ok().map(to_f64);
    Ok([
        first,
        alone.median(),
        alone.p99(),
        count(alone.len()),
        None,
        None,
        together.median(),
        together.p99(),
        count(together.len()),
        None,
        None,
    ])
}

/// Streams the transcripts of many days in one answer from a `serve` of its own. Returns what that took.
async fn stream(stack: &Stack, org: &Org, longest: u32) -> anyhow::Result<String> {
    let days = STREAMED.div_ceil(org.users).min(longest);
    let (first, last) = history::range(days);
    let api = Api::start(stack, DATABASE).await?;
    let began = Instant::now();
    let question = format!("transcripts/?start_date={first}&end_date={last}");
    let conversations = f64::from(org.users) * f64::from(days) / MILLION;
    let read = api.read_through(&org.name, &question).await;
    let (peak, seconds) = (api.peak_mib()?, began.elapsed().as_secs_f64());
    Ok(match read {
        Ok(bytes) => format!(
            "another had {peak:.0} MiB while it streamed {conversations:.2} million conversations, \
             {:.0} MB in {seconds:.0} s",
            to_f64(bytes) / MILLION
        ),
        Err(error) => format!(
            "another failed after {seconds:.0} s to stream {conversations:.2} million conversations: {error:#}"
        ),
    })
}

impl Question {
    fn url(&self, days: u32) -> String {
        let (first, last) = history::range(days);
        let mentor = self
            .mentor
            .as_ref()
            .map_or_else(String::new, |mentor| format!("&{}={MENTOR}", mentor.parameter));
        format!("{}start_date={first}&end_date={last}{mentor}", self.endpoint)
    }

    fn statement(&self, org: &Org, days: u32) -> String {
        let (first, last) = history::range(days);
        let (condition, among) = self.mentor.as_ref().map_or(("", ""), |mentor| {
            (mentor.condition, "AND user_id IN (SELECT user_id FROM active)")
        });
        self.statement
            .replace("${org}", &org.name)
            .replace("${since}", &Timestamp::start_of(first).as_millis().to_string())
            .replace("${until}", &Timestamp::end_of(last).as_millis().to_string())
            .replace("${mentor}", condition)
            .replace("${among_active}", among)
    }

    async fn measure(
        &self,
        stack: &Stack,
        api: &Api,
        (org, days): (&Org, u32),
        sizes: &Sizes,
    ) -> anyhow::Result<[Option<f64>; 11]> {
        let url = self.url(days);
        let began = Instant::now();
        let mut answer = api.ask(&org.name, &url, TIMED_OUT).await?;
        let first = answer.as_ref().map(|_| began.elapsed().as_secs_f64() * 1e3);
        for _ in 0..WARM_UP {
            answer = api.ask(&org.name, &url, TIMED_OUT).await?;
        }
        let began = Instant::now();
        let statement = self.statement(org, days);
        let rows = stack
            .sql()
            .run_within(DATABASE, &statement, WITHOUT_ROLLUPS)
            .await?;
        let from_messages = rows.as_ref().map(|_| began.elapsed().as_secs_f64() * 1e3);
        if let Some((answer, rows)) = answer.zip(rows) {
            let (answered, summed) = (sum(&answer, self.counts), sum_of_rows(&rows, self.counts.len()));
            ensure!(
                answered == summed,
                "{url} of {}: the API returns {answered}, the messages {summed}",
                org.name
            );
        }
        let mut repetition = Repetition {
            askers: 1,
            questions: 200,
            time: Duration::from_secs(sizes.seconds_each),
        };
        let mut alone = api.time(&org.name, &url, repetition).await?;
        let mut after_inserts = Times::default();
        for insert in 0..INSERTS {
            org.insert_one_more(stack, DATABASE, INSERTED + insert * 2)
                .await?;
            let asked = Instant::now();
            let answer = api.ask(&org.name, &url, TIMED_OUT).await?;
            after_inserts.extend(answer.map(|_| asked.elapsed()));
        }
        (repetition.askers, repetition.questions) = (16, 1_600);
        let mut together = api.time(&org.name, &url, repetition).await?;
        let count = |times: usize| u64::try_from(times).ok().map(to_f64);
        let median = alone.median();
        Ok([
            first,
            median,
            alone.p99(),
            count(alone.len()),
            after_inserts.median(),
            after_inserts.worst(),
            together.median(),
            together.p99(),
            count(together.len()),
            from_messages,
            median
                .zip(from_messages)
                .map(|(median, from_messages)| from_messages / median),
        ])
    }
}

/// The sum of all numbers of those names in an answer, at any depth.
fn sum(answer: &Value, names: &[&str]) -> u64 {
    match answer {
        Value::Array(items) => items.iter().map(|item| sum(item, names)).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                _ if !names.contains(&name.as_str()) => 0,
                Value::Array(numbers) => numbers.iter().filter_map(Value::as_u64).sum(),
                number => number.as_u64().unwrap_or(0),
            })
            .sum(),
        _ => 0,
    }
}

/// The sum of the columns after the first of tab-separated lines.
fn sum_of_rows(rows: &str, columns: usize) -> u64 {
    rows.lines()
        .flat_map(|line| line.split('\t').skip(1).take(columns))
        .filter_map(|number| number.parse::<u64>().ok())
        .sum()
}
