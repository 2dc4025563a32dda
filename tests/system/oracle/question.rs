//! Questions to the three endpoints, and the answers that the oracle has for them, written as the contract says.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use events::{Conversation, DateRange, Day, Grain, NewUsersBy, Timestamp, TranscriptFilter};
use futures::{StreamExt, TryStreamExt, stream};
use oracle::Oracle;
use reqwest::Url;
use serde_json::{Value, json};

use crate::harness::Process;

/// The maximum number of questions asked at once.
const CONCURRENCY: usize = 4;

/// A question.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    Usage {
        range: DateRange,
        /// As `group_by` spells it; `None` leaves it out.
        grain: Option<&'static str>,
    },
    Cohorts {
        range: DateRange,
        /// As `aggregation` spells it; `None` leaves it out.
        grain: Option<&'static str>,
        /// As `mentor_id` gives it: the empty one filters nothing.
        mentor: Option<String>,
        new_users_by: Option<&'static str>,
    },
    Transcripts {
        start: Option<Day>,
        end: Option<Day>,
        mentor: Option<String>,
        topics: Vec<String>,
        /// Asks for all pages of this size, one after the other.
        page_size: Option<usize>,
    },
}

/// A range of days.
pub(crate) fn days(start: &str, end: &str) -> DateRange {
    DateRange::new(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

/// All conversations, unpaged.
pub(crate) fn all_transcripts() -> Question {
    Question::Transcripts {
        start: None,
        end: None,
        mentor: None,
        topics: Vec::new(),
        page_size: None,
    }
}

/// Asks all questions, and returns the first difference to the oracle's answers.
pub(crate) async fn compare(
    process: &Process,
    oracle: &Oracle,
    org: &str,
    questions: &[Question],
) -> Result<(), String> {
    let expected = |question: &Question| (question.clone(), question.expected(oracle, org));
    let asked: Vec<_> = questions.iter().map(expected).collect();
    compare_with(process, org, &asked).await
}

/// Asks all questions, and returns the first difference to the answers given with them.
pub(crate) async fn compare_with(
    process: &Process,
    org: &str,
    asked: &[(Question, Value)],
) -> Result<(), String> {
    stream::iter(asked)
        .map(|(question, expected)| async move {
            let found = question.ask(process, org).await?;
            difference(&found, expected).map_or(Ok(()), |at| Err(format!("{org}: {question:?}: {at}")))
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

impl Question {
    /// Asks it; if paged, all pages.
    pub(crate) async fn ask(&self, process: &Process, org: &str) -> Result<Value, String> {
        if let Self::Transcripts {
            page_size: Some(size),
            ..
        } = self
        {
            return self.ask_pages(process, org, *size).await;
        }
        let url = self.url(process, org, &[]);
        let answer = process.fetch(url.as_str()).await;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| format!("{url}: {error}"))?;
        if status == 200 {
            Ok(body)
        } else {
            Err(format!("{url}: {status} {body}"))
        }
    }

    /// Asks it for CSV, unpaged.
    pub(crate) async fn ask_csv(&self, process: &Process, org: &str) -> String {
        let url = self.url(process, org, &[("export", "csv")]);
        let answer = process.fetch(url.as_str()).await;
        assert_eq!(answer.status(), 200, "{url}");
        answer.text().await.unwrap()
    }

    /// The oracle's answer.
    pub(crate) fn expected(&self, oracle: &Oracle, org: &str) -> Value {
        match self {
            Self::Usage { range, grain } => {
                let grain = of_word(*grain);
                let counts = oracle.usage_summary(org, *range, grain);
                let periods = range.periods(grain).zip(counts);
                let labelled = periods.map(|(period, count)| {
                    let label = match grain {
                        Grain::Hour => "%Y-%m-%dT%H:00:00Z",
                        Grain::Day | Grain::Week | Grain::Month => "%Y-%m-%d",
                    };
                    json!({ "date": utc(period.start).format(label).to_string(), "user_count": count })
                });
                labelled.collect()
            }
            Self::Cohorts {
                range,
                grain,
                mentor,
                new_users_by,
            } => {
                let by = match new_users_by {
                    None | Some("registration") => NewUsersBy::Registration,
                    Some("activity") => NewUsersBy::Activity,
                    Some(other) => panic!("{other}"),
                };
                let mentor = mentor.as_deref().filter(|mentor| !mentor.is_empty());
                let counts = oracle.cohorts(org, *range, of_word(*grain), mentor, by);
                let label = |start| utc(start).format("%Y-%m-%dT%H:%M:%SZ").to_string();
                json!({
                    "periods": counts.iter().map(|count| label(count.period.start)).collect::<Vec<_>>(),
                    "new_users": counts.iter().map(|count| count.new_users).collect::<Vec<_>>(),
                    "veteran_users": counts.iter().map(|count| count.veteran_users).collect::<Vec<_>>(),
                })
            }
            Self::Transcripts {
                start,
                end,
                mentor,
                topics,
                ..
            } => {
                let filter = TranscriptFilter {
                    start: *start,
                    end: *end,
                    mentor: mentor.clone(),
                    topics: topics.clone(),
                };
                oracle.transcripts(org, &filter).iter().map(transcript).collect()
            }
        }
    }

    async fn ask_pages(&self, process: &Process, org: &str, size: usize) -> Result<Value, String> {
        let mut all = Vec::new();
        for page in 1.. {
            let (page, page_size) = (page.to_string(), size.to_string());
            let url = self.url(process, org, &[("page", &page), ("page_size", &page_size)]);
            let answer = process.fetch(url.as_str()).await;
            let total = answer.headers().get("x-total-count").cloned();
            let body: Value = answer.json().await.map_err(|error| format!("{url}: {error}"))?;
            let total: usize = total
                .and_then(|total| total.to_str().ok()?.parse().ok())
                .ok_or(format!("{url}: no X-Total-Count: {body}"))?;
            let items = body.as_array().ok_or(format!("{url}: {body}"))?;
            all.extend_from_slice(items);
            if all.len() > total || items.len() > size || (items.len() < size && all.len() < total) {
                return Err(format!("{url}: {} so far, {total} in all: {body}", all.len()));
            }
            if all.len() == total {
                break;
            }
        }
        Ok(all.into())
    }

    fn url(&self, process: &Process, org: &str, more: &[(&str, &str)]) -> Url {
        let (endpoint, mut parameters) = self.request();
        parameters.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Url::parse_with_params(&process.url(org, endpoint), parameters).unwrap()
    }

    /// The endpoint and its parameters, without those of paging.
    pub(crate) fn request(&self) -> (&'static str, Vec<(&'static str, String)>) {
        let range = |range: &DateRange| {
            vec![
                ("start_date", range.start().to_string()),
                ("end_date", range.end().to_string()),
            ]
        };
        match self {
            Self::Usage { range: asked, grain } => {
                let mut parameters = range(asked);
                parameters.extend(grain.map(|grain| ("group_by", grain.to_owned())));
                ("usage-summary/", parameters)
            }
            Self::Cohorts {
                range: asked,
                grain,
                mentor,
                new_users_by,
            } => {
                let mut parameters = range(asked);
                parameters.extend(grain.map(|grain| ("aggregation", grain.to_owned())));
                parameters.extend(mentor.clone().map(|mentor| ("mentor_id", mentor)));
                parameters.extend(new_users_by.map(|by| ("new_users_by", by.to_owned())));
                ("user-cohorts-over-time/", parameters)
            }
            Self::Transcripts {
                start,
                end,
                mentor,
                topics,
                ..
            } => {
                let mut parameters = Vec::new();
                parameters.extend(start.map(|day| ("start_date", day.to_string())));
                parameters.extend(end.map(|day| ("end_date", day.to_string())));
                parameters.extend(mentor.clone().map(|mentor| ("mentor", mentor)));
                // In one list, or each on its own: both mean the same.
                let topics: Vec<_> = topics.iter().map(|name| quoted(name)).collect();
                if topics.len() == 2 {
                    parameters.extend(topics.into_iter().map(|name| ("topics", name)));
                } else if !topics.is_empty() {
                    parameters.push(("topics", topics.join(",")));
                }
                ("transcripts/", parameters)
            }
        }
    }
}

/// The name of a topic as the API reads it in a list.
fn quoted(name: &str) -> String {
    if name.contains([',', '"']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// A conversation, with every field that the reference page names.
fn transcript(conversation: &Conversation) -> Value {
    json!({
        "first_message": conversation.first_message,
        "topics": conversation.topics.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "id": conversation.id.hyphenated().to_string(),
        "user_id": conversation.user_id,
        "message_count": conversation.message_count,
        "model": conversation.model,
        "inserted_at": utc(conversation.inserted_at).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "user_sentiment": conversation.user_sentiment,
    })
}

fn of_word(word: Option<&str>) -> Grain {
    match word {
        Some("hour" | "hourly") => Grain::Hour,
        None | Some("day" | "daily") => Grain::Day,
        Some("week" | "weekly") => Grain::Week,
        Some("month" | "monthly") => Grain::Month,
        Some(other) => panic!("{other}"),
    }
}

fn utc(instant: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.as_millis()).unwrap()
}

/// Where two answers differ first, if they do: a diff of them would fill the screen.
pub(crate) fn difference(found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        _ if found == expected => None,
        (Value::Array(found), Value::Array(expected)) => {
            let pairs = found.iter().zip(expected).enumerate();
            let mut differences = pairs.filter_map(|(index, (found, expected))| {
                Some(format!("[{index}]{}", difference(found, expected)?))
            });
            let lengths = format!(": {} items, expected {}", found.len(), expected.len());
            match differences.next() {
                Some(first) if found.len() == expected.len() => Some(first),
                Some(first) => Some(format!("{lengths}; {first}")),
                None => Some(lengths),
            }
        }
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
            let (found, expected) = (found, expected);
            let differences = names
                .into_iter()
                .filter_map(|name| Some(format!(".{name}{}", difference(&found[name], &expected[name])?)));
            Some(differences.collect::<Vec<_>>().join("; "))
        }
        _ => Some(format!(": {found}, expected {expected}")),
    }
}
