//! How many conversations began in periods that have ended, by mentor and by topic, as that was observed.
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
    changes::{Changes, DAY, LastLook, Of},
    connection::Connection,
    conversations::{CHUNK, beginnings, id_array_literal, is_among},
    error::Error,
    store::Store,
    tables::{ObservedRow, ObservedRows, Rows},
};

/// Where counts are kept.
pub const OBSERVED_TABLE: &str = "observed_beginnings";

/// How many days are observed by one statement.
const STRIDE: i64 = 8 * DAY;

/// What counts are kept by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Mentor,
    /// Trimmed and case-folded.
    Topic,
}

impl By {
    const ALL: [Self; 2] = [Self::Mentor, Self::Topic];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Mentor => "mentor",
            Self::Topic => "topic",
        }
    }

    /// What changes the counts.
    pub(crate) const fn changed_by(self) -> Of {
        match self {
            Self::Mentor => Of::Messages,
            Self::Topic => Of::Annotations,
        }
    }

    /// The length of the periods that are observed of a day that is not over, in seconds.
    const fn period(self) -> i64 {
        self.changed_by().period()
    }

    /// The statement that counts.
    const fn counted(self) -> &'static str {
        match self {
            Self::Mentor => include_str!("../sql/begun_by_mentor.sql"),
            Self::Topic => include_str!("../sql/begun_by_topic.sql"),
        }
    }
}

/// For whom it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Urgency {
    /// Somebody waits for the answer.
    Asked,
    Maintenance,
}

/// A count of a period.
#[derive(Debug, Clone, Row, Deserialize)]
pub(crate) struct ObservedCount {
    /// The mentor or the topic; empty: any or none.
    value: String,
    seconds: u32,
    period: u32,
    conversations: u64,
    seen: u64,
}

impl ObservedCount {
    /// The day that it is of, since 1970.
    pub(crate) fn day(&self) -> u16 {
        day(self.start())
    }

    fn start(&self) -> i64 {
        self.period.into()
    }

    fn end(&self) -> i64 {
        self.start() + i64::from(self.seconds)
    }

    /// What tells it from any other of its organisation.
    fn row(&self, by: By) -> u128 {
        let value = foldhash::fast::FixedState::default().hash_one((by.as_str(), &self.value));
        u128::from(value) << 64 | u128::from(self.period) << 32 | u128::from(self.seconds)
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
    /// Until when shorter periods are, after those.
    pub(crate) until: i64,
}

impl Observed {
    /// What holds of counts with a value and with any, in the order of time, after these changes.
    pub(crate) fn of(by: By, changes: &Changes, mut counts: Vec<ObservedCount>, value: &str) -> Option<Self> {
        counts.retain(|count| count.seen == changes.mark(count.end()));
        let with_value: HashMap<_, _> = counts
            .iter()
            .filter(|count| count.value == value)
            .map(|count| ((count.seconds, count.period), count.conversations))
            .collect();
        let of_any = |length: i64| {
            let of_any = counts.iter().filter(|count| count.value.is_empty());
            of_any.filter(move |count| i64::from(count.seconds) == length)
        };
        let first = of_any(DAY).map(ObservedCount::start).next()?;
        let mut observed = Self {
            counts: BTreeMap::new(),
            first,
            days_until: first,
            until: first,
        };
        for length in [DAY, by.period()] {
            for count in of_any(length).filter(|count| count.start() >= first) {
                if count.start() == observed.until {
                    observed.until = count.end();
                    // What is not there of a value is nothing.
                    let conversations = with_value.get(&(count.seconds, count.period)).copied();
                    *observed.counts.entry(day(count.start())).or_default() +=
                        conversations.unwrap_or_default();
                }
            }
            if length == DAY {
                observed.days_until = observed.until;
            }
        }
        Some(observed)
    }

    /// Whether a count is a part of it, and holds.
    pub(crate) fn has(&self, by: By, changes: &Changes, count: &ObservedCount) -> bool {
        let time = match i64::from(count.seconds) {
            DAY => self.first..self.days_until,
            seconds if seconds == by.period() => self.days_until..self.until,
            _ => return false,
        };
        time.contains(&count.start()) && count.seen == changes.mark(count.end())
    }
}

/// What began in a period.
#[derive(Debug, Row, Deserialize)]
struct Begun {
    period: u32,
    value: String,
    conversations: u64,
    /// Some whose mentor is told by their messages alone.
    tied: Vec<u128>,
}

#[derive(Debug, Row, Deserialize)]
struct FirstMentor {
    conversation_id: u128,
    mentor_id: String,
}

impl Connection {
    /// What is observed of conversations with a mentor or a topic (empty: any or none) and holds; none where nothing does.
    pub(crate) async fn observed(&self, org: &str, by: By, value: &str) -> Result<Option<Observed>, Error> {
        let changes = self.changes(org, by.changed_by());
        let (changes, counts) = try_join(changes, self.observed_counts(org, by, value)).await?;
        Ok(Observed::of(by, &changes, counts, value))
    }

    pub(crate) async fn observed_counts(
        &self,
        org: &str,
        by: By,
        value: &str,
    ) -> Result<Vec<ObservedCount>, Error> {
        let counts = self
            .query(include_str!("../sql/observed_beginnings.sql"), org)
            .param("observed", self.settings.spread_over_shards(OBSERVED_TABLE))
            .param("by", by.as_str())
            .param("value", value);
        self.rows(counts).await
    }

    /// How many began in periods of which these counts are, with each mentor or topic.
    pub(crate) async fn observed_values(
        &self,
        org: &str,
        by: By,
        holding: impl Iterator<Item = &ObservedCount>,
    ) -> Result<HashMap<String, u64>, Error> {
        let holding: Vec<_> = holding
            .map(|count| format!("({},{},{})", count.seconds, count.period, count.seen))
            .collect();
        let mut totals = HashMap::new();
        for holding in holding.chunks(CHUNK) {
            let of_periods = self
                .query(include_str!("../sql/observed_values.sql"), org)
                .param("observed", self.settings.spread_over_shards(OBSERVED_TABLE))
                .param("by", by.as_str())
                .bind(format!("[{}]", holding.join(",")));
            for (value, conversations) in self.rows::<(String, u64)>(of_periods).await? {
                *totals.entry(value).or_default() += conversations;
            }
        }
        Ok(totals)
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
                .bind(id_array_literal(ids));
            let rows = self.rows::<FirstMentor>(rows).await?;
            mentors.extend(rows.into_iter().map(|row| (row.conversation_id, row.mentor_id)));
        }
        Ok(mentors)
    }

    /// The counts of an organisation, of each value and of any.
    async fn observed_of_org(&self, org: &str, by: By) -> Result<Vec<ObservedCount>, Error> {
        let counts = self
            .query(include_str!("../sql/observed_of_org.sql"), org)
            .param("observed", self.settings.spread_over_shards(OBSERVED_TABLE))
            .param("by", by.as_str());
        self.rows(counts).await
    }

    /// How many conversations began in each period of this length, by mentor or topic, and with any or none; counted by
    /// whoever observes or by whoever asks.
    pub(crate) async fn count_begun(
        &self,
        urgency: Urgency,
        org: &str,
        by: By,
        time: &Range<i64>,
        period: i64,
    ) -> Result<BTreeMap<u32, HashMap<String, u64>>, Error> {
        let seen = is_among(include_str!("../sql/seen_by_day.sql"));
        let sql = by
            .counted()
            .replace("${beginnings}", &beginnings(&seen))
            .replace("${seen}", &seen);
        let (begun, limit) = match urgency {
            Urgency::Asked => (self.question(&sql), self.settings.query_timeout()),
            Urgency::Maintenance => (self.maintenance(&sql), self.settings.maintenance_timeout()),
        };
        let begun = begun
            .param("org", org)
            .param("mentor", "")
            .param("first_day", day(time.start))
            .param("last_day", day(time.end - 1))
            .param("period_millis", period * 1_000)
            .param("since", time.start * 1_000)
            .param("until", time.end * 1_000);
        let mut counts: BTreeMap<u32, HashMap<String, u64>> = BTreeMap::new();
        for begun in self.within(limit, begun.fetch_all::<Begun>()).await? {
            let of_period = counts.entry(begun.period).or_default();
            *of_period.entry(begun.value).or_default() += begun.conversations;
            for mentor in self.first_mentors(org, &begun.tied).await?.into_values() {
                *of_period.entry(mentor).or_default() += 1;
            }
        }
        if let By::Mentor = by {
            // Each has one or none.
            for of_period in counts.values_mut() {
                let total = of_period.values().sum();
                of_period.insert(String::new(), total);
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
        self.observe_conversations_since(now, None).await
    }

    /// Only as far as nothing has changed since the last look, if there is one.
    pub(crate) async fn observe_conversations_since(
        &self,
        now: Timestamp,
        mut last: Option<&mut LastLook>,
    ) -> Result<u64, Error> {
        let ended = now.as_millis() / 1_000 - self.clickhouse.settings.observe_margin();
        let mut periods = 0;
        for org in self.orgs_to_observe("conversations_by_day").await? {
            for by in By::ALL {
                periods += self.observe_org(&org, by, ended, last.as_deref_mut()).await?;
            }
        }
        Ok(periods)
    }

    /// The organisations of which a rollup has so many rows with any mentor that their counts are observed.
    pub(crate) async fn orgs_to_observe(&self, table: &str) -> Result<Vec<String>, Error> {
        let sql = include_str!("../sql/observed_orgs.sql").replace("${table}", table);
        let orgs = self.clickhouse.question(&sql);
        let orgs = orgs.param("least", self.clickhouse.settings.observe_from);
        self.clickhouse.rows(orgs).await
    }

    /// The organisations that a table has counts of.
    pub(crate) async fn orgs_observed(&self, table: &str) -> Result<Vec<String>, Error> {
        let sql = include_str!("../sql/orgs_observed.sql").replace("${table}", table);
        self.clickhouse.rows(self.clickhouse.question(&sql)).await
    }

    async fn observe_org(
        &self,
        org: &str,
        by: By,
        ended: i64,
        last: Option<&mut LastLook>,
    ) -> Result<u64, Error> {
        // First: what is entered after this is not taken for seen.
        let changes = self.clickhouse.changes(org, by.changed_by()).await?;
        self.await_replicas().await?;
        let ended = last.map_or(ended, |last| {
            ended.min(last.unchanged_until(org, by.changed_by(), &changes))
        });
        let first = self.clickhouse.query(include_str!("../sql/first_day.sql"), org);
        let Some(first) = self.clickhouse.row::<u16>(first).await? else {
            return Ok(0);
        };
        let first = i64::from(first) * DAY;
        let counts = self.clickhouse.observed_counts(org, by, "").await?;
        let (days_until, until) = match Observed::of(by, &changes, counts, "") {
            Some(observed) if observed.first <= first => (observed.days_until, observed.until),
            _ => (first, first),
        };
        let (day_ended, ended) = (ended / DAY * DAY, ended / by.period() * by.period());
        let mut periods = 0;
        let mut since = days_until;
        while since < day_ended {
            let stride = since..day_ended.min(since + STRIDE);
            since = stride.end;
            periods += self.observe_periods((org, by), &changes, stride, DAY).await?;
        }
        let of_day = until.max(since)..ended;
        if !of_day.is_empty() {
            periods += self
                .observe_periods((org, by), &changes, of_day, by.period())
                .await?;
        }
        Ok(periods)
    }

    /// The counts that hold and are not what the rollups have, as [`Store::verify`] compares them: what stands there is not
    /// expected, and what should is.
    pub(crate) async fn observed_strays(&self) -> Result<HashMap<(u128, bool), String>, Error> {
        let mut strays = HashMap::new();
        for org in self.orgs_observed(OBSERVED_TABLE).await? {
            for by in By::ALL {
                let rows = self.strays_of_org(&org, by).await?;
                strays.extend(
                    rows.into_iter()
                        .flat_map(|row| [false, true].map(|is_expected| ((row, is_expected), org.clone()))),
                );
            }
        }
        Ok(strays)
    }

    async fn strays_of_org(&self, org: &str, by: By) -> Result<Vec<u128>, Error> {
        let changes = self.clickhouse.changes(org, by.changed_by()).await?;
        let mut counts = self.clickhouse.observed_of_org(org, by).await?;
        counts.retain(|count| count.seen == changes.mark(count.end()));
        let mut strays = Vec::new();
        for counts in
            counts.chunk_by(|a, b| a.seconds == b.seconds && a.start() / STRIDE == b.start() / STRIDE)
        {
            let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
                continue;
            };
            let time = first.start()..last.end();
            let begun = self
                .clickhouse
                .count_begun(Urgency::Maintenance, org, by, &time, first.seconds.into())
                .await?;
            let differ = counts.iter().filter(|count| {
                let begun = begun.get(&count.period).and_then(|begun| begun.get(&count.value));
                begun.copied().unwrap_or_default() != count.conversations
            });
            strays.extend(differ.map(|count| count.row(by)));
        }
        Ok(strays)
    }

    async fn observe_periods(
        &self,
        (org, by): (&str, By),
        changes: &Changes,
        time: Range<i64>,
        period: i64,
    ) -> Result<u64, Error> {
        let counts = self
            .clickhouse
            .count_begun(Urgency::Maintenance, org, by, &time, period)
            .await?;
        let (mut of_values, mut of_any) = (ObservedRows::default(), ObservedRows::default());
        let mut periods = 0;
        let mut start = time.start;
        while start < time.end {
            let begun = u32::try_from(start).ok().and_then(|start| counts.get(&start));
            let row = |value, conversations| ObservedRow {
                org,
                by: by.as_str(),
                value,
                seconds: u32::try_from(period).unwrap_or_default(),
                period: u32::try_from(start).unwrap_or_default(),
                conversations,
                seen: changes.mark(start + period),
            };
            let mut any = 0;
            for (value, conversations) in begun.into_iter().flatten() {
                match value.as_str() {
                    "" => any = *conversations,
                    value => of_values.push(row(value, *conversations)),
                }
            }
            of_any.push(row("", any));
            periods += 1;
            start += period;
        }
        // What is not there of a value is taken for nothing where the count of any is there, so that goes last.
        for rows in [of_values, of_any] {
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
