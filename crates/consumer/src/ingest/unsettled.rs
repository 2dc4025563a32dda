//! How old the oldest record is that is read and not settled. No I/O, no clock: the time comes in.

use events::Timestamp;
use metrics::gauge;

use crate::metric;

/// The oldest record of each batch that is on its way, by the timestamps that the records have in Kafka. Dropping it sets
/// the gauge to 0: what a run that ends has not settled, the next one reads.
#[derive(Debug, Default)]
pub(crate) struct Unsettled(Vec<Timestamp>);

impl Unsettled {
    /// Notes that a batch is on its way.
    pub(crate) fn sent(&mut self, oldest: Option<Timestamp>) {
        self.0.extend(oldest);
    }

    /// Notes that such a batch is settled.
    pub(crate) fn settled(&mut self, oldest: Option<Timestamp>) {
        let position = self.0.iter().position(|sent| Some(*sent) == oldest);
        if let Some(position) = position {
            self.0.swap_remove(position);
        }
    }

    /// Sets the gauge, with the oldest record of the batch that is open.
    pub(crate) fn set_age(&self, open: Option<Timestamp>, now: Timestamp) {
        set(self.age_millis(open, now));
    }

    /// In milliseconds; 0 where there is no such record, and where a producer's clock is ahead of ours.
    fn age_millis(&self, open: Option<Timestamp>, now: Timestamp) -> u64 {
        let oldest = self.0.iter().copied().chain(open).min();
        let age = oldest.map_or(0, |oldest| now.as_millis() - oldest.as_millis());
        u64::try_from(age).unwrap_or(0)
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        set(0);
    }
}

fn set(millis: u64) {
    let age = std::time::Duration::from_millis(millis);
    gauge!(metric::UNSETTLED_AGE).set(age.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_oldest_record_in_any_batch() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        let now = Timestamp::from_millis(10_000);
        let mut unsettled = Unsettled::default();
        assert_eq!(unsettled.age_millis(None, now), 0);
        assert_eq!(unsettled.age_millis(at(8_000), now), 2_000);
        unsettled.sent(at(8_000));
        unsettled.sent(None);
        unsettled.sent(at(3_000));
        unsettled.sent(at(3_000));
        assert_eq!(unsettled.age_millis(at(9_000), now), 7_000);
        unsettled.settled(at(3_000));
        unsettled.settled(None);
        assert_eq!(unsettled.age_millis(at(9_000), now), 7_000);
        unsettled.settled(at(3_000));
        assert_eq!(unsettled.age_millis(at(9_000), now), 2_000);
        unsettled.settled(at(8_000));
        assert_eq!(unsettled.age_millis(at(11_000), now), 0);
    }
}
