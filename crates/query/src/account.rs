//! What is kept of a key while requests come with it: how many are open, how often they come, and its place in line.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{error::Error, slots::Queue};

/// What is kept of one key.
#[derive(Default)]
pub(crate) struct Account {
    /// Its requests that wait to ask a question.
    pub(crate) questions: Queue,
    /// Its lists that wait for a chunk.
    pub(crate) lists: Queue,
    open: AtomicUsize,
    /// Until when what it has asked uses up what it may.
    used_until: Mutex<Option<Instant>>,
}

/// How much each key may ask.
pub(crate) struct Limits {
    /// How many requests that are not answered yet.
    open: usize,
    /// How often; none: as often as it likes.
    rate: Option<Rate>,
}

/// So many requests in each second, and so many at once after a pause.
struct Rate {
    /// What each request uses up.
    interval: Duration,
    /// How far ahead of time a request may be.
    tolerance: Duration,
}

/// A request that is not answered yet, until it is dropped.
pub(crate) struct Open(Arc<Account>);

impl Open {
    /// Whose it is.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limits {
    /// So many open requests, and so many a second (0: any number) with so many at once.
    pub(crate) fn new(open: usize, a_second: u32, burst: NonZeroU32) -> Self {
        let rate = NonZeroU32::new(a_second).map(|a_second| {
            let interval = Duration::from_secs(1) / a_second.get();
            Rate {
                interval,
                tolerance: interval * (burst.get() - 1),
            }
        });
        Self { open, rate }
    }

    /// Counts a request of a key that comes now.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] where the key has too many open ones, [`Error::TooFrequent`] where they come too fast.
    pub(crate) fn admit(&self, account: Arc<Account>) -> Result<Open, Error> {
        let before = account.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(account);
        if before >= self.open {
            return Err(Error::TooManyRequests);
        }
        if let Some(rate) = &self.rate {
            rate.admit(&open.0.used_until).map_err(Error::TooFrequent)?;
        }
        Ok(open)
    }
}

impl Rate {
    /// Uses up what a request needs that comes now; else how long to wait for it.
    fn admit(&self, used_until: &Mutex<Option<Instant>>) -> Result<(), Duration> {
        let mut used_until = used_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let from = used_until.map_or(now, |until| until.max(now));
        let wait = (from - now).saturating_sub(self.tolerance);
        if !wait.is_zero() {
            return Err(wait);
        }
        *used_until = Some(from + self.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(requests: u32) -> NonZeroU32 {
        NonZeroU32::new(requests).unwrap()
    }

    #[test]
    fn a_key_over_its_limit_is_refused_until_a_request_of_its_own_has_ended() {
        let (limits, key, other) = (
            Limits::new(2, 0, burst(1)),
            Arc::<Account>::default(),
            Arc::default(),
        );
        let admit = || limits.admit(Arc::clone(&key));
        let (first, _second) = (admit().unwrap(), admit().unwrap());
        assert!(matches!(admit(), Err(Error::TooManyRequests)));
        drop(limits.admit(other).unwrap());
        drop(first);
        drop(admit().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_may_ask_so_often_after_a_burst_and_is_told_how_long_to_wait() {
        let (limits, key, other) = (
            Limits::new(100, 4, burst(3)),
            Arc::<Account>::default(),
            Arc::default(),
        );
        let admit = || limits.admit(Arc::clone(&key)).map(drop);
        let wait = || match admit() {
            Err(Error::TooFrequent(wait)) => wait,
            other => panic!("{other:?}"),
        };
        for _ in 0..3 {
            admit().unwrap();
        }
        assert_eq!(wait(), Duration::from_millis(250));
        // To be refused uses nothing up.
        assert_eq!(wait(), Duration::from_millis(250));
        drop(limits.admit(other).unwrap());
        tokio::time::advance(Duration::from_millis(249)).await;
        assert_eq!(wait(), Duration::from_millis(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        admit().unwrap();
        assert_eq!(wait(), Duration::from_millis(250));
        tokio::time::advance(Duration::from_secs(60)).await;
        for _ in 0..3 {
            admit().unwrap();
        }
        wait();
    }

    #[test]
    fn without_a_rate_a_key_may_ask_as_often_as_it_likes() {
        let (limits, key) = (Limits::new(1, 0, burst(1)), Arc::<Account>::default());
        for _ in 0..10_000 {
            drop(limits.admit(Arc::clone(&key)).unwrap());
        }
    }
}
