//! Why ClickHouse did not do what was asked, by what the caller can do about it.

use clickhouse::error::Error as Source;

/// Why ClickHouse did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ClickHouse cannot be reached, did not answer in time, or says that it cannot serve now. The same request
    /// may succeed later.
    #[error("ClickHouse is unavailable")]
    Unavailable(#[source] Source),
    /// ClickHouse refused the request: it will refuse it again.
    #[error("ClickHouse refused the request")]
    Refused(#[source] Source),
    /// The rollups of the database were made by a newer program than this one.
    #[error(
        "the schema of database {database} is at version {found}; this program knows {known}: upgrade it"
    )]
    NewerSchema {
        /// The database.
        database: String,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
}

impl Error {
    /// Whether the same request may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(crate) fn timed_out() -> Self {
        Self::Unavailable(Source::TimedOut)
    }
}

impl From<Source> for Error {
    fn from(source: Source) -> Self {
        if is_transient(&source) {
            Self::Unavailable(source)
        } else {
            Self::Refused(source)
        }
    }
}

/// Whether a request that failed so may succeed later: the one place where that is decided.
///
/// The codes are those of ClickHouse's `ErrorCodes.cpp` that speak of load, time, memory, replicas or a server
/// that is starting or stopping, not of the request.
fn is_transient(error: &Source) -> bool {
    const TRANSIENT: [u32; 17] = [
        74,  // CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  // CANNOT_WRITE_TO_FILE_DESCRIPTOR
        159, // TIMEOUT_EXCEEDED
        164, // READONLY
        201, // QUOTA_EXCEEDED
        202, // TOO_MANY_SIMULTANEOUS_QUERIES
        203, // NO_FREE_CONNECTION
        209, // SOCKET_TIMEOUT
        210, // NETWORK_ERROR
        241, // MEMORY_LIMIT_EXCEEDED
        242, // TABLE_IS_READ_ONLY
        243, // NOT_ENOUGH_SPACE
        252, // TOO_MANY_PARTS
        319, // UNKNOWN_STATUS_OF_INSERT
        394, // QUERY_WAS_CANCELLED
        439, // CANNOT_SCHEDULE_TASK
        999, // KEEPER_EXCEPTION
    ];
    match error {
        Source::Network(_) | Source::TimedOut => true,
        Source::BadResponse(text) => exception_code(text).is_none_or(|code| TRANSIENT.contains(&code)),
        _ => false,
    }
}

/// The number in `Code: 60. DB::Exception: …`; none where what answered was not ClickHouse but, say, a proxy.
pub(crate) fn exception_code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> Source {
        Source::BadResponse(text.to_owned())
    }

    #[test]
    fn load_passes_and_a_wrong_request_does_not() {
        assert!(is_transient(&Source::TimedOut));
        assert!(is_transient(&bad("Code: 252. DB::Exception: Too many parts")));
        assert!(is_transient(&bad("502 Bad Gateway")));
        assert!(!is_transient(&bad(
            "Code: 60. DB::Exception: Table rollcall.messages does not exist"
        )));
        assert!(!is_transient(&bad(
            "Code: 117. DB::Exception: Unknown enum value"
        )));
    }
}
