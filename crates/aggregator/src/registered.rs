//! How it is found when users registered.

use std::ops::Range;

/// Selects users that meet a condition, and when they registered.
pub(crate) fn registered(condition: &str) -> String {
    include_str!("../sql/registered.sql").replace("${condition}", condition)
}

/// A condition that a user may have registered within these milliseconds.
pub(crate) fn registered_within(ranges: &[Range<i64>]) -> String {
    include_str!("../sql/registered_within.sql")
        .replace("${registered_at_within}", &within_ranges("registered_at", ranges))
        .replace(
            "${first_message_at_within}",
            &within_ranges("first_message_at", ranges),
        )
}

/// A condition that a number is in one of these ranges.
pub(crate) fn within_ranges(number: &str, ranges: &[Range<i64>]) -> String {
    let within = ranges
        .iter()
        .map(|range| format!("({number} >= {} AND {number} < {})", range.start, range.end));
    within.collect::<Vec<_>>().join(" OR ")
}
