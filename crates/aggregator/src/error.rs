//! Why ClickHouse did not do what was asked, by what the caller can do about it.

use clickhouse::error::Error as Source;

/// Why ClickHouse did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ClickHouse cannot be reached, did not answer in time, or says that it cannot serve now. The same request
    /// may succeed later.
    #[error("ClickHouse is unavailable")]
    Unavailable(#[source] Source),
    /// ClickHouse refused rows for what they hold: at least one of them will never be taken.
    #[error("ClickHouse refused the rows for what they hold")]
    InvalidRows(#[source] Source),
    /// ClickHouse refused the request: it will refuse it again, until somebody changes what is there.
    #[error("ClickHouse refused the request")]
    Refused(#[source] Source),
    /// The schema of the database was made by a newer program than this one.
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
    /// The database was made by a program whose migrations are not those of this one.
    #[error(
        "database {database} was made by a Rollcall before the baseline of the schema (its version {version} is {name}) \
         and cannot be upgraded: set `clickhouse.database` to another name, or use another data directory where the \
         engine is embedded, and consume the topic again; or drop the database"
    )]
    SchemaBeforeBaseline {
        /// The database.
        database: String,
        /// A version that it has recorded.
        version: u32,
        /// The migration recorded there, which is not this program's.
        name: String,
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
    /// The one place that decides what is tried again. The codes are those of ClickHouse's `ErrorCodes.cpp`.
    fn from(source: Source) -> Self {
        /// Codes of load, time, memory, replicas or a server that is starting or stopping.
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
        /// Codes of a value in a row.
        const ROWS: [u32; 17] = [
            6,   // CANNOT_PARSE_TEXT
            26,  // CANNOT_PARSE_QUOTED_STRING
            27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
            38,  // CANNOT_PARSE_DATE
            41,  // CANNOT_PARSE_DATETIME
            69,  // ARGUMENT_OUT_OF_BOUND
            70,  // CANNOT_CONVERT_TYPE
            72,  // CANNOT_PARSE_NUMBER
            117, // INCORRECT_DATA
            128, // TOO_LARGE_ARRAY_SIZE
            131, // TOO_LARGE_STRING_SIZE
            321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
            349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
            395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
            407, // DECIMAL_OVERFLOW
            469, // VIOLATED_CONSTRAINT
            691, // UNKNOWN_ELEMENT_OF_ENUM
        ];
        let code = match &source {
            Source::Network(_) | Source::TimedOut => return Self::Unavailable(source),
            Source::BadResponse(text) => exception_code(text),
            _ => return Self::Refused(source),
        };
        match code {
            // What answered was not ClickHouse but, say, a proxy on the way.
            None => Self::Unavailable(source),
            Some(code) if TRANSIENT.contains(&code) => Self::Unavailable(source),
            Some(code) if ROWS.contains(&code) => Self::InvalidRows(source),
            Some(_) => Self::Refused(source),
        }
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
        assert!(Error::from(Source::TimedOut).is_transient());
        assert!(Error::from(bad("Code: 252. DB::Exception: Too many parts")).is_transient());
        assert!(Error::from(bad("502 Bad Gateway")).is_transient());
        let missing = bad("Code: 60. DB::Exception: Table rollcall.messages does not exist");
        assert!(matches!(Error::from(missing), Error::Refused(_)));
    }

    #[test]
    fn a_value_that_is_not_taken_is_the_fault_of_its_row() {
        let violated = bad("Code: 469. DB::Exception: Constraint `short` is violated at row 3");
        assert!(matches!(Error::from(violated), Error::InvalidRows(_)));
    }
}
