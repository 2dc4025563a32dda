//! The rules that a query parameter can break.

/// A parameter breaks its rule. The messages name the parameter and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    /// A required parameter is absent.
    #[error("{0} is required")]
    Missing(&'static str),
    /// A list names nothing.
    #[error("{0} must not be blank")]
    Blank(&'static str),
    /// A date is written in another way, or is not in the calendar.
    #[error("{0} must be a date as YYYY-MM-DD")]
    NotADate(&'static str),
    /// A value is none of those that are known.
    #[error("{name} must be one of {options}")]
    NotAnOption { name: &'static str, options: String },
    /// A number is not a number, or zero, or above its maximum.
    #[error("{name} must be a whole number {}", bounds(*.max))]
    NotWhole { name: &'static str, max: Option<u64> },
    /// A cursor is none that was given.
    #[error("cursor must be * or one that a Link header gave")]
    NotACursor,
    /// A page is asked for by its number and by a place.
    #[error("page and cursor exclude each other")]
    PageAndCursor,
    /// The range ends before it starts.
    #[error("start_date must not be after end_date")]
    StartAfterEnd,
    /// The range has more periods than an answer may have.
    #[error(
        "the range from start_date to end_date has {} periods; at most {} are answered",
        with_commas(*.count),
        with_commas(*.max)
    )]
    TooManyPeriods { count: u64, max: u64 },
    /// More topics are named than may be.
    #[error("topics names {count} topics; at most {max} are taken")]
    TooManyTopics { count: usize, max: usize },
    /// The topics are too long together.
    #[error("topics is too long; at most {0} bytes are taken")]
    TopicsTooLong(usize),
}

fn bounds(max: Option<u64>) -> String {
    max.map_or_else(|| "from 1 up".to_owned(), |max| format!("from 1 to {max}"))
}

/// A number with commas between its thousands.
fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted_by_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(with_commas(number), text);
        }
    }
}
