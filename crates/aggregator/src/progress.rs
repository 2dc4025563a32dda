//! How far ingestion is, as it reports it: who answers does not ask Kafka.

use clickhouse::Row;
use events::{Progress, Timestamp};
use serde::Deserialize;

use crate::{error::Error, store::Store};

/// Where runs of ingestion report.
const PROGRESS_TABLE: &str = "ingestion_progress";

/// A run that has not reported for so long, in milliseconds, has ended: others have its partitions.
const SILENCE: i64 = 60_000;

/// What a run of ingestion reports.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// A random number of the run.
    pub run: u64,
    /// When this is reported.
    pub as_of: Timestamp,
    /// The time of the newest event that it has settled.
    pub newest_event_at: Option<Timestamp>,
    /// How many records its partitions hold that are not settled.
    pub lag: u64,
    /// How many records it has rejected.
    pub rejected: u64,
}

/// What all runs of ingestion have reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reports {
    /// All of it together.
    pub progress: Progress,
    /// How many runs have reported within the last minute.
    pub running: u64,
    /// How long ago the latest report was, in milliseconds.
    pub age_millis: Option<u64>,
}

#[derive(Debug, Row, Deserialize)]
struct Reported {
    as_of: i64,
    newest_event_at: i64,
    lag: u64,
    rejected: u64,
    now: i64,
}

impl Store {
    /// Reports how far a run of ingestion is.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn report(&self, report: Report) -> Result<(), Error> {
        let settings = &self.clickhouse.settings;
        let newest = report.newest_event_at.map_or(0, Timestamp::as_millis);
        let report = self
            .clickhouse
            .spreading(include_str!("../sql/report_progress.sql"))
            .param("into", settings.spread_over_shards(PROGRESS_TABLE))
            .param("run", report.run)
            .param("as_of", report.as_of.as_millis())
            .param("newest_event_at", newest)
            .param("lag", report.lag)
            .param("rejected", report.rejected);
        self.clickhouse
            .within(settings.insert_timeout(), report.execute())
            .await
    }

    /// How far ingestion is by what was reported.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn progress(&self) -> Result<Progress, Error> {
        Ok(self.reports().await?.progress)
    }

    /// What was reported, and when.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn reports(&self) -> Result<Reports, Error> {
        let reported = self
            .clickhouse
            .question(include_str!("../sql/progress.sql"))
            .param(
                "progress",
                self.clickhouse.settings.spread_over_shards(PROGRESS_TABLE),
            );
        let reported = self.clickhouse.rows::<Reported>(reported).await?;
        let latest = reported.iter().map(|run| run.now - run.as_of).min();
        let running = reported.iter().filter(|run| run.as_of > run.now - SILENCE);
        Ok(Reports {
            progress: sum(&reported),
            running: u64::try_from(running.count()).unwrap_or(u64::MAX),
            age_millis: latest.map(|age| u64::try_from(age).unwrap_or_default()),
        })
    }
}

fn sum(reported: &[Reported]) -> Progress {
    let as_of = reported.iter().map(|run| run.as_of).max();
    let newest = reported
        .iter()
        .map(|run| run.newest_event_at)
        .max()
        .unwrap_or_default();
    let now = reported.iter().map(|run| run.now).max().unwrap_or_default();
    let running = reported
        .iter()
        .filter(|run| as_of.is_some_and(|latest| run.as_of > latest - SILENCE));
    Progress {
        newest_event_at: (newest > 0).then(|| Timestamp::from_millis(newest)),
        age_millis: (newest > 0).then(|| u64::try_from(now - newest).unwrap_or_default()),
        lag: running.map(|run| run.lag).sum(),
        rejected: reported.iter().map(|run| run.rejected).sum(),
        as_of: as_of.map(Timestamp::from_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_runs_that_still_report_and_what_was_rejected_that_of_all() {
        let run = |as_of, newest_event_at, lag, rejected| Reported {
            as_of,
            newest_event_at,
            lag,
            rejected,
            now: 2_000_000,
        };
        assert_eq!(sum(&[]), Progress::default());
        let all = [
            run(1_000_000, 900_000, 5, 1),
            run(1_990_000, 1_989_000, 7, 2),
            run(1_995_000, 0, 11, 0),
        ];
        let at = |millis| Some(Timestamp::from_millis(millis));
        let expected = Progress {
            newest_event_at: at(1_989_000),
            age_millis: Some(11_000),
            lag: 18,
            rejected: 3,
            as_of: at(1_995_000),
        };
        assert_eq!(sum(&all), expected);
    }
}
