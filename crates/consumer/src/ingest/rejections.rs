//! Rejected records in the log: one of each reason a minute, with how many there were.

use tokio::time::Instant;
use tracing::warn;

use crate::ingest::record::Reason;
use crate::throttle::Throttle;

/// What was rejected and is not logged yet, by the codes of the reasons.
#[derive(Debug)]
pub(crate) struct Rejections(Throttle<&'static str, Rejected>);

/// A record that was rejected, as it is logged.
#[derive(Debug)]
struct Rejected {
    partition: i32,
    offset: i64,
    reason: String,
}

impl Rejections {
    pub(crate) const fn new() -> Self {
        Self(Throttle::new())
    }

    /// Notes that the record at a partition and offset is rejected.
    pub(crate) fn note(&mut self, (partition, offset): (i32, i64), reason: &Reason) {
        let rejected = Rejected {
            partition,
            offset,
            reason: reason.to_string(),
        };
        self.0.count(reason.code(), rejected);
    }

    /// Logs the latest record of each reason that is due.
    pub(crate) fn log(&mut self, topic: &str) {
        for (code, count, rejected) in self.0.due(Instant::now()) {
            let Rejected {
                partition,
                offset,
                reason,
            } = rejected;
            warn!(
                topic,
                partition, offset, code, count, "records are rejected: {reason}"
            );
        }
    }
}
