//! How it is found when users registered.

use std::ops::Range;

/// Selects users that meet a condition, and when they registered.
pub(crate) fn registered(condition: &str) -> String {
    include_str!("../sql/registered.sql").replace("${condition}", condition)
}

/// A condition that a user may have registered within these milliseconds.
pub(crate) fn registered_within(ranges: &[Range<i64>]) -> String {
    let within = |column: &str| {
        let known = format!("if({column} = {}, {}, {column})", i64::MAX, i64::MIN);
        within_ranges(&known, ranges)
    };
    include_str!("../sql/registered_within.sql")
        .replace("${registered_at_within}", &within("registered_at"))
        .replace("${first_message_at_within}", &within("first_message_at"))
}

/// A condition that a number is in one of these ranges.
pub(crate) fn within_ranges(number: &str, ranges: &[Range<i64>]) -> String {
    let within = ranges
        .iter()
        .map(|range| format!("({number} >= {} AND {number} < {})", range.start, range.end));
    within.collect::<Vec<_>>().join(" OR ")
}
