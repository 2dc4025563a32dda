//! The only code that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

use events::Timestamp;

/// The time now; 1970 if the clock is set before that.
#[expect(clippy::disallowed_methods, reason = "the clock is read here alone")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
