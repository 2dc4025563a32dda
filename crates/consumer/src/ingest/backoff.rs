//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double from 100 milliseconds to 5 seconds, each shortened by up to a half, so that many who
/// failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    jitter: RandomState,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            next: FIRST,
            jitter: RandomState::new(),
            attempt: 0,
        }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        self.attempt = self.attempt.saturating_add(1);
        let longest = self.next;
        self.next = (longest * 2).min(LONGEST);
        let per_mille = u32::try_from(self.jitter.hash_one(self.attempt) % 501).unwrap_or(0);
        longest.saturating_sub(longest * per_mille / 1000)
    }

    /// How many waits were handed out.
    pub(crate) const fn attempt(&self) -> u32 {
        self.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_five_seconds_and_stay_there() {
        let mut backoff = Backoff::new();
        for longest in [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
            let wait = backoff.next();
            let longest = Duration::from_millis(longest);
            assert!(wait <= longest && wait >= longest / 2, "{wait:?} of {longest:?}");
        }
    }

    #[test]
    fn two_that_failed_together_wait_differently() {
        let waits = || {
            let mut backoff = Backoff::new();
            [(); 8].map(|()| backoff.next())
        };
        assert_ne!(waits(), waits());
    }
}
