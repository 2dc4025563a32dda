//! Durations of repeated requests.

use std::time::Duration;

/// Durations, of which percentiles are reported.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// The median, in milliseconds; none if there are no durations.
    pub(crate) fn median(&mut self) -> Option<f64> {
        self.at(50)
    }

    /// The 99th percentile, in milliseconds.
    pub(crate) fn p99(&mut self) -> Option<f64> {
        self.at(99)
    }

    /// The longest, in milliseconds.
    pub(crate) fn worst(&mut self) -> Option<f64> {
        self.at(100)
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&mut self, percent: usize) -> Option<f64> {
        self.0.sort_unstable();
        let index = (self.0.len() * percent / 100).min(self.0.len().checked_sub(1)?);
        Some(self.0[index].as_secs_f64() * 1e3)
    }
}

impl Extend<Duration> for Times {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, durations: I) {
        self.0.extend(durations);
    }
}
