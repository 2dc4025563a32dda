//! Which conversations are listed, and in what order.
//!
//! What a day or a topic names is a candidate. When a conversation began, and with which mentor, is told by
//! `conversation_beginnings`; which topics it has, by the annotation that holds. Both are read by the candidates' keys.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::RangeInclusive,
};

use clickhouse::{Row, query::Query};
use events::{Day, TranscriptFilter};
use futures::{StreamExt, TryStreamExt, future::try_join, stream};
use serde::Deserialize;

use crate::{
    connection::Connection,
    conversations::{CHUNK, id_array_literal},
    error::Error,
};

const MILLIS_A_DAY: i64 = 24 * 3_600_000;
/// How many times as many days are searched next where those so far had too few.
const WIDEN: u16 = 16;
/// The maximum number of candidates that are looked at in one go.
const MAX_CANDIDATES: usize = 16 * CHUNK;
/// A topic that was given to no more conversations is where a search begins; so is one that so many candidates have not.
const FEW: usize = 20_000;

/// A condition that a conversation is in a list of ids.
const AMONG_IDS: &str = "conversation_id IN CAST(? AS Array(UInt128))";
/// Selects the conversations that any annotation gave one of the topics.
const GIVEN_TOPICS: &str = include_str!("../sql/given_topics.sql");

/// Which conversations are listed.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    org: String,
    /// Empty: any or none.
    mentor: String,
    /// Any of these; empty: any or none.
    topics: Vec<String>,
    /// The days on which they began, since 1970, as a `Date` holds them. Messages date from the year 2000 on.
    days: RangeInclusive<u16>,
}

/// The position of a conversation in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Deserialize)]
pub(crate) struct Position {
    pub(crate) conversation_id: u128,
    /// When it began, in milliseconds since 1970.
    began_at: i64,
}

/// When a conversation began, and with whom: the two mentors differ where records of its first message do.
#[derive(Debug, Row, Deserialize)]
struct Beginning {
    conversation_id: u128,
    began_at: i64,
    least_mentor: String,
    greatest_mentor: String,
}

/// A candidate of a day, and how many the day has.
#[derive(Debug, Row, Deserialize)]
struct NthCandidate {
    conversation_id: u128,
    began_at: i64,
    candidates: u64,
}

/// How many began on a day.
#[derive(Debug, Row, Deserialize)]
struct DayCount {
    day: u16,
    conversations: u64,
    /// Some that began with the mentor by one record of their first message, and not by another.
    tied: Vec<u128>,
}

impl Beginning {
    const fn position(&self) -> Position {
        Position {
            conversation_id: self.conversation_id,
            began_at: self.began_at,
        }
    }
}

/// A condition that a conversation is one of these.
pub(crate) fn is_among(conversations: &str) -> String {
    format!("conversation_id IN ({conversations})")
}

/// Selects when conversations began that meet a condition.
pub(crate) fn beginnings(condition: &str) -> String {
    include_str!("../sql/beginnings.sql").replace("${condition}", condition)
}

/// Selects conversations that have one of the topics and meet a condition.
fn with_topics(condition: &str) -> String {
    include_str!("../sql/with_topics.sql").replace("${condition}", condition)
}

impl Listing {
    /// None where no conversation can match.
    pub(crate) fn new(org: &str, filter: &TranscriptFilter) -> Option<Self> {
        let day = |day: Day| u16::try_from(day.number().max(0)).unwrap_or(u16::MAX);
        let days = filter.start.map_or(0, day)..=filter.end.map_or(u16::MAX, day);
        (!days.is_empty()).then(|| Self {
            org: org.to_owned(),
            mentor: filter.mentor.clone().unwrap_or_default(),
            topics: filter.topics.clone(),
            days,
        })
    }

    pub(crate) fn org(&self) -> &str {
        &self.org
    }

    /// The same of other days.
    pub(crate) fn on(&self, days: RangeInclusive<u16>) -> Self {
        Self { days, ..self.clone() }
    }

    pub(crate) const fn first_day(&self) -> u16 {
        *self.days.start()
    }

    /// How many match, by the day on which they began: as it was observed, as far as that holds, and from rows since then.
    pub(crate) async fn counts(&self, clickhouse: &Connection) -> Result<BTreeMap<u16, u64>, Error> {
        let observed = if self.topics.is_empty() {
            clickhouse.observed(&self.org, &self.mentor).await?
        } else {
            None
        };
        let (mut counts, since) = match observed {
            Some(observed) => (observed.counts, observed.until * 1_000),
            None => (BTreeMap::new(), 0),
        };
        counts.retain(|day, _| self.days.contains(day));
        let first_day = u16::try_from(since / MILLIS_A_DAY).unwrap_or(u16::MAX);
        let days = first_day.max(*self.days.start())..=*self.days.end();
        if days.is_empty() {
            return Ok(counts);
        }
        let mut condition = is_among(include_str!("../sql/seen_by_day.sql"));
        if !self.topics.is_empty() {
            condition = format!(
                "{condition} AND {}",
                is_among(&with_topics(&is_among(GIVEN_TOPICS)))
            );
        }
        let sql = include_str!("../sql/count_by_day.sql").replace("${beginnings}", &beginnings(&condition));
        let rows = self
            .query(clickhouse, &sql, &days)
            .param("since", since)
            .fetch_all::<DayCount>();
        for row in clickhouse.run(rows).await? {
            let tied = self.begun_with_mentor(clickhouse, &row.tied).await?.len();
            *counts.entry(row.day).or_default() +=
                row.conversations + u64::try_from(tied).unwrap_or(u64::MAX);
        }
        Ok(counts)
    }

    /// The first of the list, or the first after a position; fewer only where the list ends.
    pub(crate) async fn after(
        &self,
        clickhouse: &Connection,
        mut position: Option<Position>,
        count: usize,
    ) -> Result<Vec<Position>, Error> {
        if !self.topics.is_empty() && self.given_topics(clickhouse).await? <= FEW {
            return self.by_topic(clickhouse, position, count).await;
        }
        let last_day = position.map_or(u16::MAX, |position| {
            u16::try_from(position.began_at.div_euclid(MILLIS_A_DAY)).unwrap_or(u16::MAX)
        });
        let days = *self.days.start()..=last_day.min(*self.days.end());
        let latest_day = self
            .query(clickhouse, include_str!("../sql/latest_day.sql"), &days)
            .fetch_optional::<u16>();
        let Some(latest_day) = clickhouse.run(latest_day).await? else {
            return Ok(Vec::new());
        };
        let mut days = latest_day..=latest_day;
        let (mut found, mut seen) = (Vec::new(), 0);
        while found.len() < count {
            // As many as those so far make one expect.
            let missing = count - found.len();
            let limit =
                (2 * missing * (seen + 1) / (found.len() + 1)).clamp(2 * missing.min(CHUNK), MAX_CANDIDATES);
            let candidates = self.by_day(clickhouse, &days, position, limit).await?;
            let is_last = candidates.len() < limit;
            seen += candidates.len();
            position = candidates.last().copied().or(position);
            found.extend(self.confirm(clickhouse, candidates).await?);
            if is_last {
                if days.start() == self.days.start() {
                    break;
                }
                let last = days.start() - 1;
                let length = (days.end() - days.start() + 1).saturating_mul(WIDEN);
                days = last.saturating_sub(length - 1).max(*self.days.start())..=last;
            }
            if !self.topics.is_empty() && seen > FEW && found.len() < count {
                let rest = count - found.len();
                found.extend(self.by_topic(clickhouse, position, rest).await?);
                break;
            }
        }
        found.truncate(count);
        Ok(found)
    }

    /// The last of so many that are first on a day, on which as many began as `count` says.
    pub(crate) async fn nth_of_day(
        &self,
        clickhouse: &Connection,
        day: u16,
        count: u64,
        number: usize,
    ) -> Result<Option<Position>, Error> {
        let Some(passed) = number.checked_sub(1) else {
            return Ok(None);
        };
        let days = day..=day;
        if self.topics.is_empty() {
            let nth = self
                .query(clickhouse, include_str!("../sql/nth_by_day.sql"), &days)
                .param("passed", passed)
                .fetch_optional::<NthCandidate>();
            // Where none of the candidates began earlier or otherwise, each is where it seems to be.
            if let Some(nth) = clickhouse.run(nth).await?
                && nth.candidates == count
            {
                return Ok(Some(Position {
                    conversation_id: nth.conversation_id,
                    began_at: nth.began_at,
                }));
            }
        }
        let first = self.on(days).after(clickhouse, None, number).await?;
        Ok(first.last().copied())
    }

    /// Candidates that the days name, in the order of the list: those that began in these days are where they belong.
    async fn by_day(
        &self,
        clickhouse: &Connection,
        days: &RangeInclusive<u16>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, Error> {
        let candidates = self
            .query_after(
                clickhouse,
                include_str!("../sql/listed_by_day.sql"),
                days,
                after,
                limit,
            )
            .fetch_all();
        clickhouse.run(candidates).await
    }

    /// As [`Listing::after`], from all that were ever given one of the topics.
    async fn by_topic(
        &self,
        clickhouse: &Connection,
        mut position: Option<Position>,
        count: usize,
    ) -> Result<Vec<Position>, Error> {
        let on_topic = is_among(&with_topics(&is_among(GIVEN_TOPICS)));
        let sql = include_str!("../sql/listed_by_topic.sql").replace("${beginnings}", &beginnings(&on_topic));
        let mut found = Vec::new();
        while found.len() < count {
            let limit = count - found.len();
            let listed = self
                .query_after(clickhouse, &sql, &self.days, position, limit)
                .fetch_all::<Beginning>();
            let listed = clickhouse.run(listed).await?;
            let is_last = listed.len() < limit;
            position = listed.last().map(Beginning::position).or(position);
            found.extend(self.with_mentor(clickhouse, listed).await?);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// How many conversations were ever given one of the topics, about.
    async fn given_topics(&self, clickhouse: &Connection) -> Result<usize, Error> {
        let sql = format!("SELECT count() FROM ({GIVEN_TOPICS})");
        let rows = self.query(clickhouse, &sql, &self.days).fetch_one::<u64>();
        Ok(usize::try_from(clickhouse.run(rows).await?).unwrap_or(usize::MAX))
    }

    /// Those of the candidates that began where they seem to be, with the mentor, and have the topics.
    async fn confirm(
        &self,
        clickhouse: &Connection,
        candidates: Vec<Position>,
    ) -> Result<Vec<Position>, Error> {
        // Owned chunks: a future that borrows from an iterator over borrowed chunks is not `Send` to the compiler.
        let chunks: Vec<_> = candidates.chunks(CHUNK).map(<[Position]>::to_vec).collect();
        let confirmed = chunks
            .into_iter()
            .map(|candidates| self.confirm_chunk(clickhouse, candidates));
        stream::iter(confirmed).buffered(2).try_concat().await
    }

    async fn confirm_chunk(
        &self,
        clickhouse: &Connection,
        mut candidates: Vec<Position>,
    ) -> Result<Vec<Position>, Error> {
        let ids = candidates.iter().map(|candidate| candidate.conversation_id);
        let ids = id_array_literal(&ids.collect::<Vec<_>>());
        let begun = async {
            let begun = self
                .query(clickhouse, &beginnings(AMONG_IDS), &self.days)
                .bind(&ids)
                .fetch_all();
            let begun = clickhouse.run(begun).await?;
            let begun = self.with_mentor(clickhouse, begun).await?;
            let begun = begun
                .into_iter()
                .map(|begun| (begun.conversation_id, begun.began_at));
            Ok::<HashMap<_, _>, Error>(begun.collect())
        };
        let on_topic = async {
            if self.topics.is_empty() {
                return Ok(None);
            }
            let on_topic = self
                .query(clickhouse, &with_topics(AMONG_IDS), &self.days)
                .bind(&ids)
                .fetch_all::<u128>();
            let on_topic = clickhouse.run(on_topic).await?;
            Ok(Some(on_topic.into_iter().collect::<HashSet<_>>()))
        };
        let (begun, on_topic) = try_join(begun, on_topic).await?;
        candidates.retain(
            |Position {
                 conversation_id,
                 began_at,
             }| {
                // One that a message of this moment makes begin earlier may be seen here first.
                begun.get(conversation_id).is_some_and(|at| at >= began_at)
                    && on_topic
                        .as_ref()
                        .is_none_or(|on_topic| on_topic.contains(conversation_id))
            },
        );
        Ok(candidates)
    }

    /// Those that began with the mentor.
    async fn with_mentor(
        &self,
        clickhouse: &Connection,
        begun: Vec<Beginning>,
    ) -> Result<Vec<Position>, Error> {
        let is_tied = |begun: &Beginning| begun.least_mentor != begun.greatest_mentor;
        let tied = if self.mentor.is_empty() {
            HashSet::new()
        } else {
            let tied = begun.iter().filter(|begun| is_tied(begun));
            let tied: Vec<_> = tied.map(|begun| begun.conversation_id).collect();
            self.begun_with_mentor(clickhouse, &tied).await?
        };
        let begun = begun.into_iter().filter(|begun| {
            self.mentor.is_empty()
                || (!is_tied(begun) && begun.least_mentor == self.mentor)
                || tied.contains(&begun.conversation_id)
        });
        Ok(begun.map(|begun| begun.position()).collect())
    }

    /// Those of these conversations that began with the mentor.
    async fn begun_with_mentor(&self, clickhouse: &Connection, ids: &[u128]) -> Result<HashSet<u128>, Error> {
        let mentors = clickhouse.first_mentors(&self.org, ids).await?;
        let with_mentor = mentors.into_iter().filter(|(_, mentor)| *mentor == self.mentor);
        Ok(with_mentor.map(|(id, _)| id).collect())
    }

    fn query(&self, clickhouse: &Connection, sql: &str, days: &RangeInclusive<u16>) -> Query {
        clickhouse
            .query(sql, &self.org)
            .param("mentor", &self.mentor)
            .param("topics", &self.topics)
            .param("first_day", days.start())
            .param("last_day", days.end())
    }

    fn query_after(
        &self,
        clickhouse: &Connection,
        sql: &str,
        days: &RangeInclusive<u16>,
        after: Option<Position>,
        limit: usize,
    ) -> Query {
        let after = after.unwrap_or(Position {
            conversation_id: 0,
            began_at: i64::MAX,
        });
        self.query(clickhouse, sql, days)
            .param("after", after.began_at)
            .param("after_id", after.conversation_id)
            .param("limit", limit)
    }
}
