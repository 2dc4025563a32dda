//! How many conversations began in periods that have ended, as that was observed.
//!
//! Such a count is no counter: nothing is added to it. It is what one look at the rollups saw, with a mark of all that had
//! been entered in `changes` by then. So a count whose mark is still that of the entries has seen every acknowledged event
//! that can matter to it. A live stream enters next to nothing.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
    ops::Range,
};

use clickhouse::Row;
use events::Timestamp;
use futures::future::try_join;
use serde::Deserialize;

use crate::{
    changes::{Changes, HOUR},
    connection::Connection,
    conversations::{CHUNK, id_array_literal},
    error::Error,
    listing,
    store::Store,
    tables::{ObservedRow, ObservedRows, Rows},
};

/// Where counts are kept.
pub const OBSERVED_TABLE: &str = "observed_conversations";

const DAY: i64 = 24 * HOUR;
/// How many days are observed by one statement.
const STRIDE: i64 = 8 * DAY;

/// A count of a period.
#[derive(Debug, Row, Deserialize)]
struct ObservedCount {
    mentor_id: String,
    hours: u8,
    period: u32,
    conversations: u64,
    seen: u64,
}

impl ObservedCount {
    fn start(&self) -> i64 {
        self.period.into()
    }

    fn end(&self) -> i64 {
        self.start() + i64::from(self.hours) * HOUR
    }

    /// What tells it from any other of its organisation.
    fn row(&self) -> u128 {
        let mentor = foldhash::fast::FixedState::default().hash_one(&self.mentor_id);
        u128::from(mentor) << 64 | u128::from(self.period) << 8 | u128::from(self.hours)
    }
}

/// What is observed of an organisation without a gap, and holds. Instants are in seconds.
#[derive(Debug)]
pub(crate) struct Observed {
    /// By the day on which they began, since 1970.
    pub(crate) counts: BTreeMap<u16, u64>,
    /// Nothing began before.
    first: i64,
    /// Until when whole days are observed.
    days_until: i64,
    /// Until when hours are, after those.
    pub(crate) until: i64,
}

impl Observed {
    /// What holds of counts with a mentor and with any, in the order of time, after these changes.
    fn of(changes: &Changes, mut counts: Vec<ObservedCount>, mentor: &str) -> Option<Self> {
        counts.retain(|count| count.seen == changes.mark(count.end()));
        let with_mentor: HashMap<_, _> = counts
            .iter()
            .filter(|count| count.mentor_id == mentor)
            .map(|count| ((count.hours, count.period), count.conversations))
            .collect();
        let of_any = |hours: u8| {
            let of_any = counts.iter().filter(|count| count.mentor_id.is_empty());
            of_any.filter(move |count| count.hours == hours)
        };
        let first = of_any(24).map(ObservedCount::start).next()?;
        let mut observed = Self {
            counts: BTreeMap::new(),
            first,
            days_until: first,
            until: first,
        };
        for hours in [24, 1] {
            for count in of_any(hours).filter(|count| count.start() >= first) {
                if count.start() == observed.until {
                    observed.until = count.end();
                    // What is not there of a mentor is nothing.
                    let conversations = with_mentor.get(&(hours, count.period)).copied();
                    *observed.counts.entry(day(count.start())).or_default() +=
                        conversations.unwrap_or_default();
                }
            }
            if hours == 24 {
                observed.days_until = observed.until;
            }
        }
        Some(observed)
    }
}

/// What began in a period with a mentor.
#[derive(Debug, Row, Deserialize)]
struct Begun {
    period: u32,
    mentor_id: String,
    conversations: u64,
    tied: Vec<u128>,
}

#[derive(Debug, Row, Deserialize)]
struct FirstMentor {
    conversation_id: u128,
    mentor_id: String,
}

impl Connection {
    /// What is observed of conversations with a mentor (empty: any or none) and holds; none where nothing does.
    pub(crate) async fn observed(&self, org: &str, mentor: &str) -> Result<Option<Observed>, Error> {
        let (changes, counts) = try_join(self.changes(org), self.observed_counts(org, mentor)).await?;
        Ok(Observed::of(&changes, counts, mentor))
    }

    async fn observed_counts(&self, org: &str, mentor: &str) -> Result<Vec<ObservedCount>, Error> {
        let counts = self
            .query(include_str!("../sql/observed_conversations.sql"), org)
            .param("mentor", mentor)
            .fetch_all();
        self.run(counts).await
    }

    /// The mentor that each of these conversations began with.
    pub(crate) async fn first_mentors(
        &self,
        org: &str,
        ids: &[u128],
    ) -> Result<HashMap<u128, String>, Error> {
        let mut mentors = HashMap::new();
        for ids in ids.chunks(CHUNK) {
            let rows = self
                .query(include_str!("../sql/first_mentors.sql"), org)
                .bind(id_array_literal(ids))
                .fetch_all::<FirstMentor>();
            let rows = self.run(rows).await?;
            mentors.extend(rows.into_iter().map(|row| (row.conversation_id, row.mentor_id)));
        }
        Ok(mentors)
    }

    /// How many conversations began in each period of this length, by mentor.
    async fn count_begun(
        &self,
        org: &str,
        time: &Range<i64>,
        period: i64,
    ) -> Result<BTreeMap<u32, HashMap<String, u64>>, Error> {
        let seen = listing::is_among(include_str!("../sql/seen_by_day.sql"));
        let sql = include_str!("../sql/observe_conversations.sql")
            .replace("${beginnings}", &listing::beginnings(&seen));
        let begun = self
            .query(&sql, org)
            .param("mentor", "")
            .param("first_day", day(time.start))
            .param("last_day", day(time.end - 1))
            .param("period_millis", period * 1_000)
            .param("since", time.start * 1_000)
            .param("until", time.end * 1_000)
            .fetch_all::<Begun>();
        let mut counts: BTreeMap<u32, HashMap<String, u64>> = BTreeMap::new();
        for begun in self.run(begun).await? {
            let of_period = counts.entry(begun.period).or_default();
            *of_period.entry(begun.mentor_id).or_default() += begun.conversations;
            for mentor in self.first_mentors(org, &begun.tied).await?.into_values() {
                *of_period.entry(mentor).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

impl Store {
    /// Counts the conversations that began in each period that has ended and of which no count holds, of organisations that
    /// have enough of them. How many periods that were.
    ///
    /// Several may observe at once, with clocks that differ by twice `observe_margin_secs` at most from those of inserts.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn observe_conversations(&self, now: Timestamp) -> Result<u64, Error> {
        let ended = now.as_millis() / 1_000 - self.clickhouse.settings.observe_margin();
        let mut periods = 0;
        for org in self.orgs_to_observe("conversations_by_day").await? {
            periods += self.observe_org(&org, ended).await?;
        }
        Ok(periods)
    }

    /// The organisations of which a rollup has so many rows with any mentor that their counts are observed.
    pub(crate) async fn orgs_to_observe(&self, table: &str) -> Result<Vec<String>, Error> {
        let sql = include_str!("../sql/observed_orgs.sql").replace("${table}", table);
        let orgs = self.clickhouse.question(&sql);
        let orgs = orgs.param("least", self.clickhouse.settings.observe_from);
        self.clickhouse.run(orgs.fetch_all()).await
    }

    /// The organisations that a table has counts of.
    pub(crate) async fn orgs_observed(&self, table: &str) -> Result<Vec<String>, Error> {
        let sql = include_str!("../sql/orgs_observed.sql").replace("${table}", table);
        self.clickhouse
            .run(self.clickhouse.client.query(&sql).fetch_all())
            .await
    }

    async fn observe_org(&self, org: &str, ended: i64) -> Result<u64, Error> {
        // First: what is entered after this is not taken for seen.
        let changes = self.clickhouse.changes(org).await?;
        let first = self
            .clickhouse
            .query(include_str!("../sql/first_day.sql"), org)
            .fetch_optional::<u16>();
        let Some(first) = self.clickhouse.run(first).await? else {
            return Ok(0);
        };
        let first = i64::from(first) * DAY;
        let counts = self.clickhouse.observed_counts(org, "").await?;
        let (days_until, until) = match Observed::of(&changes, counts, "") {
            Some(observed) if observed.first <= first => (observed.days_until, observed.until),
            _ => (first, first),
        };
        let (day_ended, hour_ended) = (ended / DAY * DAY, ended / HOUR * HOUR);
        let mut periods = 0;
        let mut since = days_until;
        while since < day_ended {
            let stride = since..day_ended.min(since + STRIDE);
            since = stride.end;
            periods += self.observe_periods(org, &changes, stride, DAY).await?;
        }
        let hours = until.max(since)..hour_ended;
        if !hours.is_empty() {
            periods += self.observe_periods(org, &changes, hours, HOUR).await?;
        }
        Ok(periods)
    }

    /// The counts that hold and are not what the rollups have, as [`Store::verify`] compares them: what stands there is not
    /// expected, and what should is.
    pub(crate) async fn observed_strays(&self) -> Result<HashMap<(u128, bool), String>, Error> {
        let mut strays = HashMap::new();
        for org in self.orgs_observed(OBSERVED_TABLE).await? {
            let changes = self.clickhouse.changes(&org).await?;
            let counts = self
                .clickhouse
                .query(include_str!("../sql/observed_of_org.sql"), &org);
            let mut counts = self.clickhouse.run(counts.fetch_all::<ObservedCount>()).await?;
            counts.retain(|count| count.seen == changes.mark(count.end()));
            for counts in
                counts.chunk_by(|a, b| a.hours == b.hours && a.start() / STRIDE == b.start() / STRIDE)
            {
                let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
                    continue;
                };
                let time = first.start()..last.end();
                let begun = self
                    .clickhouse
                    .count_begun(&org, &time, i64::from(first.hours) * HOUR)
                    .await?;
                for count in counts {
                    let begun = begun.get(&count.period);
                    let expected = match count.mentor_id.as_str() {
                        "" => begun.map(|begun| begun.values().sum()),
                        mentor => begun.and_then(|begun| begun.get(mentor).copied()),
                    };
                    if expected.unwrap_or(0) != count.conversations {
                        for is_expected in [false, true] {
                            strays.insert((count.row(), is_expected), org.clone());
                        }
                    }
                }
            }
        }
        Ok(strays)
    }

    async fn observe_periods(
        &self,
        org: &str,
        changes: &Changes,
        time: Range<i64>,
        period: i64,
    ) -> Result<u64, Error> {
        let counts = self.clickhouse.count_begun(org, &time, period).await?;
        let (mut mentors, mut all) = (ObservedRows::default(), ObservedRows::default());
        let mut periods = 0;
        let mut start = time.start;
        while start < time.end {
            let begun = u32::try_from(start).ok().and_then(|start| counts.get(&start));
            let row = |mentor_id, conversations| ObservedRow {
                org,
                mentor_id,
                hours: u8::try_from(period / HOUR).unwrap_or_default(),
                period: u32::try_from(start).unwrap_or_default(),
                conversations,
                seen: changes.mark(start + period),
            };
            let mut total = 0;
            for (mentor, conversations) in begun.into_iter().flatten() {
                total += conversations;
                if !mentor.is_empty() {
                    mentors.push(row(mentor, *conversations));
                }
            }
            all.push(row("", total));
            periods += 1;
            start += period;
        }
        // What is not there of a mentor is taken for nothing where the count of all is there, so that goes last.
        for rows in [mentors, all] {
            if let Some(insert) = rows.into_insert() {
                self.send(&insert).await?;
            }
        }
        Ok(periods)
    }
}

/// The day of an instant, since 1970.
fn day(seconds: i64) -> u16 {
    u16::try_from(seconds.div_euclid(DAY)).unwrap_or(u16::MAX)
}
