//! The query parameters of the three endpoints. Each is declared once, as a constant that reads it strictly and
//! describes it for OpenAPI.
//!
//! Parameters are checked in the order of the fields below, and the first that breaks its rule is reported. The
//! last value of a repeated parameter counts, of `topics` all; a blank one (empty, or spaces) counts as if the parameter
//! were absent. Unknown ones are ignored; bytes that are not UTF-8 are replaced.

mod kind;
mod topics;

use std::collections::BTreeSet;

use axum::{extract::FromRequestParts, http::request};
use events::{DateRange, Day, Grain, NewUsersBy, TranscriptFilter, folded_topic};
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

pub(crate) use kind::{Choice, Query, truncate};
use kind::{Date, PositiveInteger, Text};

use crate::{
    error::Error,
    format::{Asked, Format},
    paging::{self, Cursor, Page, Part},
    parameter_error::ParameterError,
};

/// The maximum number of periods of an answer.
pub const MAX_PERIODS: u64 = 10_000;

/// The maximum number of topics of a request.
const MAX_TOPICS: usize = 100;

/// The maximum length of all topics together, folded, in bytes: the statement that names them, each byte of them escaped,
/// stays below ClickHouse's `http_max_field_value_size` of 128 KiB.
const MAX_TOPIC_BYTES: usize = 60_000;

const START_DATE: Date = Date {
    name: "start_date",
    alias: "startDate",
    description: "The first day of the range, in UTC. Without it `startDate` is read.",
};
const END_DATE: Date = Date {
    name: "end_date",
    alias: "endDate",
    description: "The last day of the range, in UTC; it is included. Without it `endDate` is read.",
};

pub(crate) const GROUP_BY: Choice<Grain> = Choice {
    name: "group_by",
    description: "How long a period is. Weeks begin on Monday; `daily`, `hourly`, `weekly` and `monthly` mean the same.",
    options: &[
        ("day", Grain::Day),
        ("hour", Grain::Hour),
        ("week", Grain::Week),
        ("month", Grain::Month),
        ("daily", Grain::Day),
        ("hourly", Grain::Hour),
        ("weekly", Grain::Week),
        ("monthly", Grain::Month),
    ],
};

const AGGREGATION: Choice<Grain> = Choice {
    name: "aggregation",
    description: "How long a period is. Weeks begin on Monday; `day`, `hour`, `week` and `month` mean the same.",
    options: &[
        ("daily", Grain::Day),
        ("hourly", Grain::Hour),
        ("weekly", Grain::Week),
        ("monthly", Grain::Month),
        ("day", Grain::Day),
        ("hour", Grain::Hour),
        ("week", Grain::Week),
        ("month", Grain::Month),
    ],
};

pub(crate) const NEW_USERS_BY: Choice<NewUsersBy> = Choice {
    name: "new_users_by",
    description: "When a user who registered within the range is new: in the period of the registration, active or \
            not, or in every period that they are active in.",
    options: &[
        ("registration", NewUsersBy::Registration),
        ("activity", NewUsersBy::Activity),
    ],
};

const MENTOR: Text = Text {
    name: "mentor",
    description: "Only conversations with this mentor.",
};
const MENTOR_ID: Text = Text {
    name: "mentor_id",
    description: "Only users active with this mentor: new ones somewhere in the range, veterans in the period.",
};
const TOPICS: Text = Text {
    name: "topics",
    description: "Only conversations that have any of these topics: comma-separated or repeated, trimmed, compared by \
            Unicode case folding; at most 100. A name that holds a comma stands in double quotes, as in RFC 4180.",
};

const PAGE: PositiveInteger = PositiveInteger {
    name: paging::PAGE,
    description: "Asks for one page instead of the whole list: which one, from 1 up; the first where `page_size` alone is given. A page past \
            the end is empty.",
    default: 1,
    max: None,
};
const PAGE_SIZE: PositiveInteger = PositiveInteger {
    name: paging::PAGE_SIZE,
    description: "Asks for one page instead of the whole list: how many conversations it holds; 100 where `page` or `cursor` alone is given.",
    default: Page::DEFAULT_SIZE,
    max: Some(Page::MAX_SIZE),
};

const CURSOR: Text = Text {
    name: paging::CURSOR,
    description: "Asks for the conversations after a place in the list, `page_size` at most: `*` for the first, and then what the \
            `Link` to the next says, until there is none. However far into the list, it takes as long, and nothing that is \
            inserted meanwhile moves it.",
};

/// In which form the answer is written, where `Accept` does not say it.
const EXPORT: Choice<Format> = Choice {
    name: "export",
    description: "The form of the answer: `csv` sends a file for spreadsheets, whatever `Accept` says.",
    options: &[("json", Format::Json), ("csv", Format::Csv)],
};

/// The parameters of `transcripts`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transcripts {
    pub(crate) filter: TranscriptFilter,
    pub(crate) part: Part,
}

/// The parameters of `usage-summary`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageSummary {
    pub(crate) range: DateRange,
    pub(crate) grain: Grain,
}

/// The parameters of `user-cohorts-over-time`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserCohorts {
    pub(crate) range: DateRange,
    pub(crate) grain: Grain,
    pub(crate) new_users_by: NewUsersBy,
    pub(crate) mentor: Option<String>,
}

/// The parameters of `mentors` and `topics`: a range of days, which may be open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Days(pub(crate) TranscriptFilter);

/// The parameters in the path of the three endpoints.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path; `access` reads it")]
pub(crate) struct OrgAndUser {
    /// The organisation: 1 to 64 of `[A-Za-z0-9._-]`.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    org: String,
    /// The caller. Filters nothing.
    user_id: String,
}

/// What is read from the query parameters of one endpoint.
pub(crate) trait FromQuery: Sized {
    /// Reads all parameters; an error names the first that breaks its rule.
    fn from_query(query: &Query<'_>) -> Result<Self, ParameterError>;
}

/// Extracts the parameters of an endpoint from a request.
pub(crate) struct Params<P>(pub(crate) P);

impl<P: FromQuery, S: Sync> FromRequestParts<S> for Params<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Error> {
        Ok(Self(P::from_query(&Query::of(&parts.uri))?))
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Error> {
        let export = EXPORT.given(&Query::of(&parts.uri))?;
        Ok(Self::by(export, &parts.headers))
    }
}

impl FromQuery for Transcripts {
    fn from_query(query: &Query<'_>) -> Result<Self, ParameterError> {
        let (start, end) = optional_days(query)?;
        let mentor = MENTOR.read(query);
        let topics = topics(query)?;
        let (number, size) = (PAGE.read(query)?, PAGE_SIZE.read(query)?);
        let part = match (CURSOR.read(query), number, size) {
            (None, None, None) => Part::Whole,
            (None, ..) => Part::Page(Page {
                number: number.unwrap_or(PAGE.default),
                size: size.unwrap_or(PAGE_SIZE.default),
            }),
            (Some(_), Some(_), _) => return Err(ParameterError::PageAndCursor),
            (Some(cursor), None, _) => Part::After(
                cursor
                    .parse::<Cursor>()
                    .map_err(|()| ParameterError::NotACursor)?,
                size.unwrap_or(PAGE_SIZE.default),
            ),
        };
        Ok(Self {
            filter: TranscriptFilter {
                start,
                end,
                mentor,
                topics,
            },
            part,
        })
    }
}

impl FromQuery for Days {
    fn from_query(query: &Query<'_>) -> Result<Self, ParameterError> {
        let (start, end) = optional_days(query)?;
        Ok(Self(TranscriptFilter {
            start,
            end,
            ..TranscriptFilter::default()
        }))
    }
}

impl FromQuery for UsageSummary {
    fn from_query(query: &Query<'_>) -> Result<Self, ParameterError> {
        let (range, grain) = periods(query, &GROUP_BY)?;
        Ok(Self { range, grain })
    }
}

impl FromQuery for UserCohorts {
    fn from_query(query: &Query<'_>) -> Result<Self, ParameterError> {
        let (range, grain) = periods(query, &AGGREGATION)?;
        Ok(Self {
            range,
            grain,
            new_users_by: NEW_USERS_BY.read(query)?,
            mentor: MENTOR_ID.read(query),
        })
    }
}

impl IntoParams for Transcripts {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            START_DATE.describe(false),
            END_DATE.describe(false),
            MENTOR.describe(),
            TOPICS.describe(),
            PAGE.describe(),
            PAGE_SIZE.describe(),
            CURSOR.describe(),
            EXPORT.describe(),
        ]
    }
}

impl IntoParams for Days {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            START_DATE.describe(false),
            END_DATE.describe(false),
            EXPORT.describe(),
        ]
    }
}

impl IntoParams for UsageSummary {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            START_DATE.describe(true),
            END_DATE.describe(true),
            GROUP_BY.describe(),
            EXPORT.describe(),
        ]
    }
}

impl IntoParams for UserCohorts {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            START_DATE.describe(true),
            END_DATE.describe(true),
            AGGREGATION.describe(),
            NEW_USERS_BY.describe(),
            MENTOR_ID.describe(),
            EXPORT.describe(),
        ]
    }
}

/// A range that is required, and how long its periods are.
fn periods(query: &Query<'_>, grain: &Choice<Grain>) -> Result<(DateRange, Grain), ParameterError> {
    let range = date_range(START_DATE.required(query)?, END_DATE.required(query)?)?;
    let grain = grain.read(query)?;
    let (count, max) = (range.period_count(grain), MAX_PERIODS);
    if count > max {
        return Err(ParameterError::TooManyPeriods { count, max });
    }
    Ok((range, grain))
}

/// The ends of a range that may be open.
fn optional_days(query: &Query<'_>) -> Result<(Option<Day>, Option<Day>), ParameterError> {
    let (start, end) = (START_DATE.optional(query)?, END_DATE.optional(query)?);
    if let (Some(start), Some(end)) = (start, end) {
        date_range(start, end)?;
    }
    Ok((start, end))
}

fn date_range(start: Day, end: Day) -> Result<DateRange, ParameterError> {
    DateRange::new(start, end).ok_or(ParameterError::StartAfterEnd)
}

/// The topics asked for, without repetitions; empty for no filter.
fn topics(query: &Query<'_>) -> Result<Vec<String>, ParameterError> {
    let mut lists = TOPICS.read_all(query).peekable();
    if lists.peek().is_none() {
        return Ok(Vec::new());
    }
    folded_topics(lists)
}

/// The topics that these lists name, as they are compared, without repetitions.
pub(crate) fn folded_topics<'a>(lists: impl Iterator<Item = &'a str>) -> Result<Vec<String>, ParameterError> {
    let names = lists.flat_map(topics::names);
    let names: BTreeSet<String> = names.map(|name| truncate(&folded_topic(&name), 3)).collect();
    if names.iter().map(String::len).sum::<usize>() > MAX_TOPIC_BYTES {
        return Err(ParameterError::TopicsTooLong(MAX_TOPIC_BYTES));
    }
    match names.len() {
        0 => Err(ParameterError::Blank(TOPICS.name)),
        1..=MAX_TOPICS => Ok(names.into_iter().collect()),
        count => Err(ParameterError::TooManyTopics {
            count,
            max: MAX_TOPICS,
        }),
    }
}

#[cfg(test)]
mod tests;
