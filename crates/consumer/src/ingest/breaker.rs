//! Whether single records are at fault for what the sink refuses, or the sink refuses whatever comes.

use std::array;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::{Body, Event};

/// The maximum number of records that are called bad in a row, each refused alone, with nothing accepted between them. So
/// many bad ones in a row are rarer than a view or a column that refuses all.
const MAX_REFUSED: u32 = 10;

/// Kinds of events. A sink keeps each in a table of its own, and may refuse one while it accepts the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kinds([bool; 4]);

impl Kinds {
    pub(crate) const fn add(&mut self, event: &Event<'_>) {
        let kind = match event.body {
            Body::Message(_) => 0,
            Body::Annotation(_) => 1,
            Body::Registration(_) => 2,
            Body::Erasure(_) => 3,
        };
        self.0[kind] = true;
    }
}

/// Opens for a kind once nothing but refusals of it comes from the sink. While it is open, no record of the kind is called
/// bad.
#[derive(Debug)]
pub(crate) struct Breaker<T>(Mutex<[State<T>; 4]>);

/// What is known of a kind.
#[derive(Debug)]
struct State<T> {
    /// How many records were refused alone since the sink accepted one.
    refused: u32,
    open: bool,
    /// Rows that the sink has accepted before. Writing them again changes nothing, and shows whether it still would.
    sample: Option<Arc<T>>,
}

impl<T> Breaker<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(array::from_fn(|_| State {
            refused: 0,
            open: false,
            sample: None,
        })))
    }

    fn states(&self) -> MutexGuard<'_, [State<T>; 4]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a record was refused alone. Whether too many were to call it bad.
    pub(crate) fn refuse(&self, kinds: Kinds) -> bool {
        let mut states = self.states();
        let mut too_many = false;
        for state in of(&mut states, kinds) {
            state.refused = state.refused.saturating_add(1);
            too_many |= state.refused > MAX_REFUSED;
        }
        too_many
    }

    /// Opens it. Whether it was closed for all kinds.
    pub(crate) fn open(&self, kinds: Kinds) -> bool {
        let mut states = self.states();
        let was_closed = states.iter().all(|state| !state.open);
        of(&mut states, kinds).for_each(|state| state.open = true);
        was_closed
    }

    /// Notes that the sink has accepted rows, which closes it. Whether that was the last kind that it was open for.
    pub(crate) fn accept(&self, kinds: Kinds) -> bool {
        let mut states = self.states();
        let mut was_open = false;
        for state in of(&mut states, kinds) {
            state.refused = 0;
            was_open |= mem::take(&mut state.open);
        }
        was_open && states.iter().all(|state| !state.open)
    }

    pub(crate) fn is_open(&self, kinds: Kinds) -> bool {
        of(&mut self.states(), kinds).any(|state| state.open)
    }

    pub(crate) fn sample(&self, kinds: Kinds) -> Option<Arc<T>> {
        of(&mut self.states(), kinds).find_map(|state| state.sample.clone())
    }

    pub(crate) fn set_sample(&self, kinds: Kinds, rows: &Arc<T>) {
        of(&mut self.states(), kinds).for_each(|state| state.sample = Some(Arc::clone(rows)));
    }
}

fn of<T>(states: &mut [State<T>; 4], kinds: Kinds) -> impl Iterator<Item = &mut State<T>> {
    let chosen = states.iter_mut().zip(kinds.0);
    chosen.filter_map(|(state, is_chosen)| is_chosen.then_some(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: Kinds = Kinds([true, false, false, false]);
    const REGISTRATIONS: Kinds = Kinds([false, false, true, false]);
    const BOTH: Kinds = Kinds([true, false, true, false]);

    #[test]
    fn refusals_in_a_row_are_too_many_and_any_of_the_kind_that_is_accepted_begins_another() {
        let breaker = Breaker::<()>::new();
        for _ in 0..3 {
            for _ in 0..MAX_REFUSED {
                assert!(!breaker.refuse(MESSAGES));
            }
            assert!(!breaker.accept(BOTH));
        }
        for _ in 0..MAX_REFUSED {
            breaker.refuse(MESSAGES);
            assert!(!breaker.accept(REGISTRATIONS));
        }
        assert!(breaker.refuse(MESSAGES));
        assert!(breaker.open(MESSAGES) && !breaker.open(MESSAGES));
        assert!(breaker.is_open(MESSAGES) && !breaker.is_open(REGISTRATIONS));
        assert!(!breaker.refuse(REGISTRATIONS));
        assert!(breaker.accept(MESSAGES) && !breaker.is_open(BOTH));
        assert!(!breaker.refuse(MESSAGES));
    }

    #[test]
    fn a_sample_is_of_its_kinds() {
        let breaker = Breaker::new();
        breaker.set_sample(REGISTRATIONS, &Arc::new(7));
        assert_eq!(breaker.sample(MESSAGES), None);
        assert_eq!(breaker.sample(BOTH), Some(Arc::new(7)));
    }
}
