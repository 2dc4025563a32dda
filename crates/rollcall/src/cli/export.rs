//! The command line of `rollcall export`.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::{
    Args, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser},
};
use events::{DateRange, Day, Grain, MessageFilter, NewUsersBy, TranscriptFilter};
use query::{
    Export, Form,
    export::{MAX_PERIODS, grains, topics, ways_to_be_new},
    keys::is_org,
};

/// What to export, and how.
#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    /// What to export
    #[arg(value_enum)]
    what: What,
    /// The organisation
    #[arg(long, value_name = "ORG", value_parser = parse_org)]
    pub(crate) org: String,
    /// The first day, in UTC, as YYYY-MM-DD; usage and cohorts need it
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    from: Option<Day>,
    /// The last day, which is included; usage and cohorts need it
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    to: Option<Day>,
    /// usage, cohorts: how long a period is [default: day]
    #[arg(long, value_name = "PERIOD", value_parser = words(grains()))]
    by: Option<Grain>,
    /// cohorts, transcripts, messages: only those with this mentor
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    mentor: Option<String>,
    /// cohorts: when a user is new [default: registration]
    #[arg(long, value_name = "WAY", value_parser = words(ways_to_be_new()))]
    new_users_by: Option<NewUsersBy>,
    /// transcripts: only those on any of these, comma-separated; may be repeated
    #[arg(long, value_name = "TOPIC,TOPIC")]
    topics: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = FileFormat::Csv)]
    format: FileFormat,
    /// The file to write, in one step at the end; by default it is written to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Active users, a row for each period
    Usage,
    /// New and veteran users, a row for each period
    Cohorts,
    /// Conversations, newest first
    Transcripts,
    /// All records of messages, by conversation and time
    Messages,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    /// For spreadsheets, as the API writes it
    Csv,
    /// A JSON object a line
    Jsonl,
    /// Apache Parquet
    Parquet,
}

impl ExportOptions {
    /// What is asked for.
    ///
    /// # Errors
    /// Where an option is missing, says nothing here, or asks for too much.
    pub(crate) fn export(&self) -> anyhow::Result<Export> {
        let for_periods = ("--by", self.by.is_some());
        let for_cohorts = ("--new-users-by", self.new_users_by.is_some());
        let for_transcripts = ("--topics", !self.topics.is_empty());
        let others = match self.what {
            What::Usage => vec![("--mentor", self.mentor.is_some()), for_cohorts, for_transcripts],
            What::Cohorts => vec![for_transcripts],
            What::Transcripts => vec![for_periods, for_cohorts],
            What::Messages => vec![for_periods, for_cohorts, for_transcripts],
        };
        if let Some((name, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
            bail!("{name} says nothing about {}", self.name());
        }
        if let (Some(from), Some(to)) = (self.from, self.to) {
            ensure!(from <= to, "--from must not be after --to");
        }
        let (start, end, mentor) = (self.from, self.to, self.mentor.clone());
        Ok(match self.what {
            What::Usage => {
                let (range, grain) = self.periods()?;
                Export::Usage { range, grain }
            }
            What::Cohorts => {
                let (range, grain) = self.periods()?;
                Export::Cohorts {
                    range,
                    grain,
                    mentor,
                    new_users_by: self.new_users_by.unwrap_or_default(),
                }
            }
            What::Transcripts => Export::Transcripts(TranscriptFilter {
                start,
                end,
                mentor,
                topics: self.topics()?,
            }),
            What::Messages => Export::Messages(MessageFilter { start, end, mentor }),
        })
    }

    /// How it is written.
    pub(crate) const fn form(&self) -> Form {
        match self.format {
            FileFormat::Csv => Form::Csv,
            FileFormat::Jsonl => Form::JsonLines,
            FileFormat::Parquet => Form::Parquet,
        }
    }

    /// What the rows are, in the plural.
    pub(crate) const fn rows(&self) -> &'static str {
        match self.what {
            What::Usage | What::Cohorts => "periods",
            What::Transcripts => "conversations",
            What::Messages => "messages",
        }
    }

    const fn name(&self) -> &'static str {
        match self.what {
            What::Usage => "usage",
            What::Cohorts => "cohorts",
            What::Transcripts => "transcripts",
            What::Messages => "messages",
        }
    }

    fn periods(&self) -> anyhow::Result<(DateRange, Grain)> {
        let needed =
            |day: Option<Day>, name| day.with_context(|| format!("{name} is required for {}", self.name()));
        let (from, to) = (needed(self.from, "--from")?, needed(self.to, "--to")?);
        let range = DateRange::new(from, to).context("--from must not be after --to")?;
        let grain = self.by.unwrap_or(Grain::Day);
        let count = range.period_count(grain);
        ensure!(
            count <= MAX_PERIODS,
            "the range from --from to --to has {count} periods; at most {MAX_PERIODS} are exported"
        );
        Ok((range, grain))
    }

    fn topics(&self) -> anyhow::Result<Vec<String>> {
        if self.topics.is_empty() {
            return Ok(Vec::new());
        }
        let lists = self.topics.iter().map(String::as_str);
        topics(lists).map_err(|error| anyhow::anyhow!("--{error}"))
    }
}

/// One of some words, as what it means.
fn words<T: Copy + Send + Sync + 'static>(
    options: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(options.iter().map(|(word, _)| *word)).try_map(move |given| {
        let option = options.iter().find(|(word, _)| *word == given);
        option.map(|(_, meaning)| *meaning).ok_or("is none of them")
    })
}

/// # Errors
/// Where it is no day of the calendar.
fn parse_day(text: &str) -> Result<Day, &'static str> {
    text.parse().map_err(|_| "must be a date as YYYY-MM-DD")
}

/// # Errors
/// Where no organisation can have the name.
fn parse_org(text: &str) -> Result<String, &'static str> {
    if is_org(text) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 64 of [A-Za-z0-9._-]")
    }
}
