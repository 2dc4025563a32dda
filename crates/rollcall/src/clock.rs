//! The one place where the time is read.

use std::time::{SystemTime, UNIX_EPOCH};

use events::Timestamp;

/// The time now. A clock that stands before 1970 is taken to stand at 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
