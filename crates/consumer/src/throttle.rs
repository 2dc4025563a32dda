//! Log lines about what happens again and again: one of each kind a minute. No clock: instants come in.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing of a kind is logged after a line about it.
const INTERVAL: Duration = Duration::from_secs(60);

/// What happened, by kind, and when it was logged last. Kinds are never forgotten: they come from a small set.
#[derive(Debug)]
pub(crate) struct Throttle<K, E = ()> {
    kinds: BTreeMap<K, Kind<E>>,
}

#[derive(Debug)]
struct Kind<E> {
    logged_at: Option<Instant>,
    /// How often it has happened since.
    count: u64,
    latest: Option<E>,
}

impl<K: Ord + Clone, E> Throttle<K, E> {
    pub(crate) const fn new() -> Self {
        Self {
            kinds: BTreeMap::new(),
        }
    }

    /// Counts something that happened, with an example of it.
    pub(crate) fn count(&mut self, kind: K, example: E) {
        let kind = self.kinds.entry(kind).or_insert(Kind {
            logged_at: None,
            count: 0,
            latest: None,
        });
        kind.count += 1;
        kind.latest = Some(example);
    }

    /// The kinds to be logged now: how often each has happened since the last line about it, and the latest example.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(K, u64, E)> {
        let due = self.kinds.iter_mut().filter_map(|(kind, state)| {
            let (count, example) = state.due(now)?;
            Some((kind.clone(), count, example))
        });
        due.collect()
    }

    /// Counts something that happens now. If it is to be logged: how often it has happened since the last line about it.
    pub(crate) fn note(&mut self, kind: &K, example: E, now: Instant) -> Option<u64> {
        self.count(kind.clone(), example);
        self.kinds.get_mut(kind)?.due(now).map(|(count, _)| count)
    }
}

impl<E> Kind<E> {
    fn due(&mut self, now: Instant) -> Option<(u64, E)> {
        if self.logged_at.is_some_and(|at| now < at + INTERVAL) {
            return None;
        }
        let example = self.latest.take()?;
        self.logged_at = Some(now);
        Some((std::mem::take(&mut self.count), example))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_at_once_and_then_once_a_minute_with_its_count() {
        let start = Instant::now();
        let mut throttle = Throttle::new();
        assert_eq!(throttle.due(start), []);
        throttle.count("late", 1);
        throttle.count("late", 2);
        assert_eq!(throttle.due(start), [("late", 2, 2)]);
        for number in 3..=1_000 {
            throttle.count("late", number);
        }
        throttle.count("large", 7);
        assert_eq!(throttle.due(start + INTERVAL / 2), [("large", 1, 7)]);
        assert_eq!(throttle.due(start + INTERVAL), [("late", 998, 1_000)]);
        assert_eq!(throttle.due(start + INTERVAL * 10), []);
    }

    #[test]
    fn what_happens_ten_times_a_second_is_noted_once_a_minute() {
        let start = Instant::now();
        let mut throttle = Throttle::new();
        let noted = (0..1_800).filter_map(|tenth| {
            let now = start + Duration::from_millis(100) * tenth;
            throttle.note(&"away", (), now)
        });
        assert_eq!(noted.collect::<Vec<_>>(), [1, 600, 600]);
    }
}
