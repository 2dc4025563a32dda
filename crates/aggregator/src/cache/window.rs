//! How much of a rollup of activity is held.

use std::ops::Range;

use super::{parts::Parts, sets::Activity};

/// So many seconds, 14 days, are read at once: what takes longer than a question waits goes on with the next.
const STRETCH: u32 = 14 * 86_400;

/// A window that is longer than so many stretches is read in longer ones: a question may ask about a century.
const STRETCHES: u32 = 27;

/// How far a table has been read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) parts: Parts,
    /// The last question that had come when the parts were listed: for it and those before, nothing newer need be read.
    pub(super) question: u64,
}

/// The activity of a window of time.
#[derive(Debug)]
pub(super) struct Window {
    /// All of the window, and perhaps some besides.
    pub(super) activity: Activity,
    /// In seconds; the end is excluded.
    pub(super) span: Range<u32>,
    pub(super) reading: Reading,
}

impl Window {
    /// Nothing of a window yet.
    pub(super) fn of(span: Range<u32>) -> Self {
        Self {
            activity: Activity::default(),
            span,
            reading: Reading::default(),
        }
    }

    /// What to read next on the way to a window that has this one in it, the later first, and what is held then.
    pub(super) fn next(&self, window: &Range<u32>) -> Option<(Range<u32>, Range<u32>)> {
        let Range { start, end } = self.span;
        let stretch = STRETCH.max((window.end - window.start) / STRETCHES);
        if end < window.end {
            let until = end.saturating_add(stretch).min(window.end);
            return Some((end..until, start..until));
        }
        let since = start.saturating_sub(stretch).max(window.start);
        (since < start).then_some((since..start, since..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_in_stretches_the_latest_first() {
        let days = |days: Range<u32>| days.start * 86_400..days.end * 86_400;
        let mut held = Window::of(days(60..70));
        let mut stretches = Vec::new();
        while let Some((stretch, then)) = held.next(&days(20..90)) {
            stretches.push(stretch);
            held.span = then;
        }
        let expected = [70..84, 84..90, 46..60, 32..46, 20..32].map(days);
        assert_eq!(stretches, expected);
        assert_eq!(held.span, days(20..90));

        let century = days(10_000..46_500);
        let mut held = Window::of(century.end..century.end);
        let mut stretches = 0;
        while let Some((_, then)) = held.next(&century) {
            stretches += 1;
            held.span = then;
        }
        assert!(stretches <= 28, "{stretches} stretches");
        assert_eq!(held.span, century);
    }
}
