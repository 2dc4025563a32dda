//! Which conversations are listed, and in what order.
//!
//! What a day or a topic names is a candidate, in the order of the list, once for each time that it may have begun. What is
//! shown of a conversation tells when it began, with which mentor and on which topics, and so whether it is listed there.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    ops::RangeInclusive,
};

use clickhouse::{Row, query::Query};
use events::{Conversation, Day, Place, TranscriptFilter};
use futures::future::try_join;
use serde::Deserialize;

use crate::{
    connection::Connection,
    conversations::{CHUNK, Details, beginnings, id_array_literal, is_among},
    error::Error,
    observed::By,
};

const MILLIS_A_DAY: i64 = 24 * 3_600_000;
/// How many times as many days are searched next where those so far had too few.
const WIDEN: u16 = 16;
/// A topic that was given to no more conversations is where a search begins.
const FEW: u64 = 20_000;

/// Selects the latest of the days that has candidates, of those that a shard has.
const LATEST_DAY: &str = include_str!("../sql/latest_day.sql");
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
    conversation_id: u128,
    /// When it began, in milliseconds since 1970.
    began_at: i64,
}

impl Position {
    /// Behind all that began since a day.
    pub(crate) fn end_of(first_day: u16) -> Self {
        Self {
            conversation_id: u128::MAX,
            began_at: i64::from(first_day) * MILLIS_A_DAY,
        }
    }

    /// The day on which it began, since 1970.
    pub(crate) fn day(&self) -> u16 {
        let day = self.began_at.div_euclid(MILLIS_A_DAY).max(0);
        u16::try_from(day).unwrap_or(u16::MAX)
    }

    /// Whether it comes after another in a list.
    fn is_after(&self, other: &Self) -> bool {
        (other.began_at, self.conversation_id) > (self.began_at, other.conversation_id)
    }
}

impl From<&Conversation> for Position {
    fn from(conversation: &Conversation) -> Self {
        Self {
            conversation_id: conversation.id.as_u128(),
            began_at: conversation.inserted_at.as_millis(),
        }
    }
}

impl From<Place> for Position {
    fn from(place: Place) -> Self {
        Self {
            conversation_id: place.id.as_u128(),
            began_at: place.inserted_at.as_millis(),
        }
    }
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

    /// The same of other days.
    fn on(&self, days: RangeInclusive<u16>) -> Self {
        Self { days, ..self.clone() }
    }

    /// The same up to a day; none where that is before all of it.
    pub(crate) fn until(&self, day: u16) -> Option<Self> {
        let days = *self.days.start()..=day.min(*self.days.end());
        (!days.is_empty()).then(|| self.on(days))
    }

    pub(crate) fn days(&self) -> RangeInclusive<u16> {
        self.days.clone()
    }

    pub(crate) const fn first_day(&self) -> u16 {
        *self.days.start()
    }

    /// Whether a conversation began up to a position, and with the mentor.
    pub(crate) fn has_begun(&self, details: &Details, until: Position) -> bool {
        !Position::from(&details.conversation).is_after(&until)
            && (self.mentor.is_empty() || details.mentor == self.mentor)
    }

    /// Whether a conversation has one of the topics, if any are asked for.
    pub(crate) const fn has_topic(&self, details: &Details) -> bool {
        self.topics.is_empty() || details.has_topic
    }

    /// How many match, by the day on which they began: as it was observed, as far as that holds, and from rows since then.
    pub(crate) async fn counts(&self, clickhouse: &Connection) -> Result<BTreeMap<u16, u64>, Error> {
        let observed = match (self.mentor.as_str(), self.topics.as_slice()) {
            (mentor, []) => clickhouse.observed(&self.org, By::Mentor, mentor).await?,
            ("", [topic]) => clickhouse.observed(&self.org, By::Topic, topic).await?,
            // Of topics and mentors that go together, or of several topics, there are too many.
            _ => None,
        };
        let (mut counts, since) = match observed {
            Some(observed) => (observed.counts, observed.until * 1_000),
            None => (BTreeMap::new(), 0),
        };
        counts.retain(|day, _| self.days.contains(day));
        let first_day = u16::try_from(since / MILLIS_A_DAY).unwrap_or(u16::MAX);
        let days = first_day.max(*self.days.start())..=*self.days.end();
        for row in self.count_rows(clickhouse, &days, since).await? {
            let tied = self.begun_with_mentor(clickhouse, &row.tied).await?.len();
            *counts.entry(row.day).or_default() +=
                row.conversations + u64::try_from(tied).unwrap_or(u64::MAX);
        }
        Ok(counts)
    }

    async fn count_rows(
        &self,
        clickhouse: &Connection,
        days: &RangeInclusive<u16>,
        since: i64,
    ) -> Result<Vec<DayCount>, Error> {
        if days.is_empty() {
            return Ok(Vec::new());
        }
        let (begun, by_key) = self.begun(days, since);
        let sql = include_str!("../sql/count_by_day.sql")
            .replace("${beginnings}", &begun)
            .replace("${by_key}", if by_key { "1" } else { "0" });
        let rows = self.query(clickhouse, &sql, days).param("since", since);
        clickhouse.rows(rows).await
    }

    /// Selects when those began that the days saw and that have the topics, and perhaps others that have them. Whether they are
    /// best found by their keys.
    fn begun(&self, days: &RangeInclusive<u16>, since: i64) -> (String, bool) {
        /// Of more days, all that have a topic are sooner looked at.
        const FEW_DAYS: u16 = 31;
        let seen = is_among(include_str!("../sql/seen_by_day.sql"));
        if self.topics.is_empty() {
            return (beginnings(&seen), true);
        }
        let given = is_among(GIVEN_TOPICS);
        let (among, by_key) = if since > 0 {
            // After what was observed come few.
            (is_among(&format!("{GIVEN_TOPICS} AND {seen}")), true)
        } else if days.end() - days.start() < FEW_DAYS {
            (format!("{given} AND {seen}"), false)
        } else {
            (given, false)
        };
        let on_topic = include_str!("../sql/with_topics.sql").replace("${condition}", &among);
        (beginnings(&is_among(&on_topic)), by_key)
    }

    /// The last of so many that are first on a day, on which as many began as `count` says.
    pub(crate) async fn nth_of_day(
        &self,
        clickhouse: &Connection,
        day: u16,
        count: u64,
        number: u64,
    ) -> Result<Option<Position>, Error> {
        let Some(passed) = number.checked_sub(1) else {
            return Ok(None);
        };
        let days = day..=day;
        let nth = self
            .query(
                clickhouse,
                &self.with_given(include_str!("../sql/nth_by_day.sql")),
                &days,
            )
            .param("passed", passed);
        // Where none of the candidates began earlier or otherwise, each is where it seems to be.
        if let Some(nth) = clickhouse.row::<NthCandidate>(nth).await?
            && nth.candidates == count
        {
            return Ok(Some(Position {
                conversation_id: nth.conversation_id,
                began_at: nth.began_at,
            }));
        }
        let rows = self.count_rows(clickhouse, &days, 0).await?;
        let tied: Vec<_> = rows.into_iter().flat_map(|row| row.tied).collect();
        let tied = self.begun_with_mentor(clickhouse, &tied).await?;
        let (begun, _) = self.begun(&days, 0);
        // Each parameter is a field of the form that the statement is sent as, and may be as long as one.
        let is_tied: Vec<_> = (0..tied.chunks(CHUNK).len())
            .map(|number| format!("OR conversation_id IN {{tied_{number}:Array(UInt128)}}"))
            .collect();
        let sql = include_str!("../sql/nth_begun.sql")
            .replace("${beginnings}", &begun)
            .replace("${or_is_tied}", &is_tied.join(" "));
        let mut nth = self.query(clickhouse, &sql, &days);
        for (number, tied) in tied.chunks(CHUNK).enumerate() {
            nth = nth.param(&format!("tied_{number}"), id_array_literal(tied));
        }
        clickhouse
            .row(nth.param("passed", passed).param("since", 0))
            .await
    }

    /// A statement about candidates of days, of those that were given one of the topics.
    fn with_given(&self, sql: &str) -> String {
        let given = if self.topics.is_empty() {
            String::new()
        } else {
            format!("AND {}", is_among(GIVEN_TOPICS))
        };
        sql.replace("${given}", &given)
    }

    /// Whether no more than a few conversations were ever given one of the topics, about.
    async fn given_few(&self, clickhouse: &Connection) -> Result<bool, Error> {
        let sql = include_str!("../sql/count_given.sql").replace("${given}", GIVEN_TOPICS);
        let rows = self.query(clickhouse, &sql, &self.days);
        Ok(clickhouse.one::<u64>(rows).await? <= FEW)
    }

    /// Those of these conversations that began with the mentor.
    async fn begun_with_mentor(&self, clickhouse: &Connection, ids: &[u128]) -> Result<Vec<u128>, Error> {
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
}

/// Where candidates are named.
#[derive(Debug)]
enum Origin {
    /// By the latest day that has any.
    LatestDay,
    Days(RangeInclusive<u16>),
    /// By all annotations that gave one of the topics.
    Topics,
    /// There are no more.
    Nowhere,
}

/// Candidates of a list, in its order.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) listing: Listing,
    pub(crate) clickhouse: Connection,
    origin: Origin,
    /// Whether those of days are held against when they began before they are named.
    pub(crate) have_begun: bool,
    /// The last one that was named.
    last: Option<Position>,
}

impl Candidates {
    /// All of a list.
    pub(crate) async fn of(listing: Listing, clickhouse: &Connection) -> Result<Self, Error> {
        let origin = if listing.topics.is_empty() {
            Origin::LatestDay
        } else {
            // It may have none that was given a topic.
            let sql = format!(
                "SELECT toUInt16(day) FROM cluster('rollcall', view({LATEST_DAY})) ORDER BY day DESC LIMIT 1"
            );
            let latest_day = listing.query(clickhouse, &sql, &listing.days);
            match try_join(clickhouse.row::<u16>(latest_day), listing.given_few(clickhouse)).await? {
                (None, _) => Origin::Nowhere,
                (Some(_), true) => Origin::Topics,
                (Some(day), false) => Origin::Days(day..=day),
            }
        };
        Ok(Self::with_origin(origin, listing, clickhouse, None))
    }

    /// Those of the last day of a list and the days before it, after a position.
    pub(crate) async fn since(
        listing: Listing,
        clickhouse: &Connection,
        last: Option<Position>,
    ) -> Result<Self, Error> {
        let day = *listing.days.end();
        let origin = if !listing.topics.is_empty() && listing.given_few(clickhouse).await? {
            Origin::Topics
        } else {
            Origin::Days(day..=day)
        };
        Ok(Self::with_origin(origin, listing, clickhouse, last))
    }

    fn with_origin(
        origin: Origin,
        listing: Listing,
        clickhouse: &Connection,
        last: Option<Position>,
    ) -> Self {
        Self {
            listing,
            clickhouse: clickhouse.clone(),
            origin,
            have_begun: false,
            last,
        }
    }

    /// The next of them, as many as this or [`CHUNK`] at most, and up to where: those of them that began later in the list are
    /// named again where they belong. None: there are no more.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Option<(Vec<u128>, Position)>, Error> {
        let limit = limit.min(CHUNK);
        let first_day = self.listing.first_day();
        loop {
            let by_day = |on_days: &str, by_key: bool| {
                self.listing
                    .with_given(include_str!("../sql/listed_by_day.sql"))
                    .replace("${on_days}", on_days)
                    .replace("${by_key}", if by_key { "1" } else { "0" })
            };
            let begun = |beginnings: &str| {
                include_str!("../sql/listed_begun.sql").replace("${beginnings}", beginnings)
            };
            let (sql, mut days) = match &self.origin {
                // Each shard's own: it would be told the value of a subquery, but finds a set itself.
                Origin::LatestDay => (
                    by_day(&format!("day IN ({LATEST_DAY})"), true),
                    self.listing.days.clone(),
                ),
                Origin::Days(days) if self.have_begun => {
                    (begun(&self.listing.begun(days, 0).0), days.clone())
                }
                Origin::Days(days) => (
                    by_day(
                        "day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})",
                        false,
                    ),
                    days.clone(),
                ),
                Origin::Topics => (
                    begun(&beginnings(&is_among(GIVEN_TOPICS))),
                    self.listing.days.clone(),
                ),
                Origin::Nowhere => return Ok(None),
            };
            let last = self.last.unwrap_or(Position {
                conversation_id: 0,
                began_at: i64::MAX,
            });
            let named = self
                .listing
                .query(&self.clickhouse, &sql, &days)
                .param("since", 0)
                .param("after", last.began_at)
                .param("after_id", last.conversation_id)
                .param("limit", limit);
            let mut named = self.clickhouse.rows::<Position>(named).await?;
            if let (Origin::LatestDay, Some(first)) = (&self.origin, named.first()) {
                let day = first.day();
                named.retain(|position| position.day() == day);
                days = day..=day;
                self.origin = Origin::Days(days.clone());
            }
            self.last = named.last().copied().or(self.last);
            let mut until = named.last().copied();
            if named.len() < limit {
                until = until.map(|_| Position::end_of(*days.start()));
                self.origin = match &self.origin {
                    Origin::Days(days) if *days.start() > first_day => {
                        let last = days.start() - 1;
                        let length = (days.end() - days.start() + 1).saturating_mul(WIDEN);
                        Origin::Days(last.saturating_sub(length - 1).max(first_day)..=last)
                    }
                    _ => Origin::Nowhere,
                };
            }
            if let Some(until) = until {
                // The last time that one is named may be its beginning, and is its place.
                let mut seen = HashSet::new();
                let earliest_first = named.iter().rev().map(|position| position.conversation_id);
                let mut ids: Vec<_> = earliest_first.filter(|id| seen.insert(*id)).collect();
                ids.reverse();
                return Ok(Some((ids, until)));
            }
        }
    }

    /// The details of those that were named; none where they are more than a chunk holds.
    pub(crate) async fn chunk(&self, ids: &[u128]) -> Result<Option<Vec<Details>>, Error> {
        let Listing { org, topics, .. } = &self.listing;
        self.clickhouse.chunk(org, topics, ids).await
    }

    /// The details of a group of them.
    pub(crate) async fn group(&self, ids: &[u128]) -> Result<Vec<Details>, Error> {
        let Listing { org, topics, .. } = &self.listing;
        self.clickhouse.group(org, topics, ids).await
    }

    /// Those that were named, in groups that a chunk holds.
    pub(crate) async fn by_size(&self, ids: Vec<u128>) -> Result<VecDeque<Vec<u128>>, Error> {
        self.clickhouse.by_size(&self.listing.org, ids).await
    }
}
