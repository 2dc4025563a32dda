//! Why ClickHouse did not do what was asked, by what the caller can do about it.

use clickhouse::error::Error as Source;
use hyper::StatusCode;

/// Why ClickHouse did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ClickHouse cannot be reached, did not answer in time, or says that it cannot serve now. The same request
    /// may succeed later.
    #[error("ClickHouse is unavailable")]
    Unavailable(#[source] Source),
    /// The connection was closed without an answer. The same request may succeed later, or less of it where a proxy does so
    /// with what is too large.
    #[error("the connection to ClickHouse was closed without an answer")]
    Unanswered(#[source] Source),
    /// Something between here and ClickHouse does not let a request of this size through. Less may be taken.
    #[error(
        "a proxy before ClickHouse refuses the size of the request: raise its limit (`client_max_body_size` of nginx)"
    )]
    TooLarge(#[source] Source),
    /// ClickHouse refused rows for what they hold: at least one of them will never be taken.
    #[error("ClickHouse refused the rows for what they hold")]
    InvalidRows(#[source] Source),
    /// ClickHouse refused the user of the settings, until somebody changes that, or what it may do.
    #[error("{advice}")]
    NotAllowed {
        /// What is wrong and what to change.
        advice: &'static str,
        /// What ClickHouse says.
        source: Source,
    },
    /// ClickHouse refused the request: it will refuse it again, until somebody changes what is there.
    #[error("ClickHouse refused the request")]
    Refused(#[source] Source),
    /// One of several nodes did not do what was asked of each.
    #[error("{url} did not")]
    OfNode {
        /// The node.
        url: String,
        /// Why.
        source: Box<Error>,
    },
    /// The schema of the database is missing, or was made by an older program than this one.
    #[error("the schema of database {database} is at version {found} of {needed}: run `rollcall migrate`")]
    OutdatedSchema {
        /// The database.
        database: String,
        /// Its version; 0 where there is none.
        found: u32,
        /// The version that this program needs.
        needed: u32,
    },
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
    /// Another process does what no two may do at once.
    #[error(
        "another process rebuilds or erases: run this again once it has ended, or half a minute after it was killed"
    )]
    Busy,
    /// Another API key has the name.
    #[error("the name {name} is taken by another key: choose another name, or revoke that key first")]
    KeyNameTaken {
        /// The name.
        name: String,
    },
    /// No API key that lives has the name.
    #[error("no key that is neither revoked nor expired has the name {name}: `rollcall keys list` shows all")]
    NoSuchKey {
        /// The name.
        name: String,
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
        match self {
            Self::Unavailable(_) | Self::Unanswered(_) => true,
            Self::OfNode { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// Whether the server that was asked has gone, or what it asked in turn: to ask again takes no longer than it did.
    pub(crate) fn is_interruption(&self) -> bool {
        /// NETWORK_ERROR, ABORTED, ALL_CONNECTION_TRIES_FAILED, QUERY_WAS_CANCELLED
        const CODES: [u32; 4] = [210, 236, 279, 394];
        match self {
            Self::Unavailable(Source::TimedOut) => false,
            Self::Unavailable(_) => self.code().is_none_or(|code| CODES.contains(&code)),
            _ => false,
        }
    }

    pub(crate) fn timed_out() -> Self {
        Self::Unavailable(Source::TimedOut)
    }

    /// What an answer means that is not ClickHouse's.
    pub(crate) fn of_proxy(status: StatusCode, text: &str) -> Self {
        let source = Source::BadResponse(format!("HTTP {status}: {}", one_line(text)));
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(source),
            _ => Self::Unavailable(source),
        }
    }

    /// The code of ClickHouse's exception; none where it is another kind of error.
    pub(crate) fn code(&self) -> Option<u32> {
        match self {
            Self::Unavailable(source)
            | Self::Unanswered(source)
            | Self::TooLarge(source)
            | Self::InvalidRows(source)
            | Self::NotAllowed { source, .. }
            | Self::Refused(source) => match source {
                Source::BadResponse(text) => exception_code(text),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<Source> for Error {
    /// The one place that decides what is tried again. The codes are those of ClickHouse's `ErrorCodes.cpp`.
    fn from(source: Source) -> Self {
        /// Codes of load, time, memory, replicas or a server that is starting or stopping.
        const TRANSIENT: [u32; 19] = [
            74,  // CANNOT_READ_FROM_FILE_DESCRIPTOR
            75,  // CANNOT_WRITE_TO_FILE_DESCRIPTOR
            159, // TIMEOUT_EXCEEDED
            201, // QUOTA_EXCEEDED
            202, // TOO_MANY_SIMULTANEOUS_QUERIES
            203, // NO_FREE_CONNECTION
            209, // SOCKET_TIMEOUT
            210, // NETWORK_ERROR
            236, // ABORTED
            241, // MEMORY_LIMIT_EXCEEDED
            242, // TABLE_IS_READ_ONLY
            243, // NOT_ENOUGH_SPACE
            252, // TOO_MANY_PARTS
            279, // ALL_CONNECTION_TRIES_FAILED
            319, // UNKNOWN_STATUS_OF_INSERT
            394, // QUERY_WAS_CANCELLED
            439, // CANNOT_SCHEDULE_TASK
            519, // NO_REMOTE_SHARD_AVAILABLE
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
        let text = match source {
            Source::Network(_) | Source::TimedOut => return Self::Unavailable(source),
            Source::BadResponse(text) => text,
            _ => return Self::Refused(source),
        };
        let code = exception_code(&text);
        let source = Source::BadResponse(one_line(&text));
        match code {
            // What answered was not ClickHouse but, say, a proxy on the way.
            None => Self::Unavailable(source),
            Some(code) if TRANSIENT.contains(&code) => Self::Unavailable(source),
            Some(code) if ROWS.contains(&code) => Self::InvalidRows(source),
            Some(code) => match advice(code) {
                Some(advice) => Self::NotAllowed { advice, source },
                None => Self::Refused(source),
            },
        }
    }
}

/// What to change where ClickHouse refuses whoever asks, by the code.
const fn advice(code: u32) -> Option<&'static str> {
    Some(match code {
        // READONLY
        164 => {
            "clickhouse.user is read-only: `serve` needs `readonly = 2` in the profile of its user, and `ingest`, \
             `migrate` and `rebuild` `readonly = 0`"
        }
        // UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED
        192 | 193 | 194 | 516 => "clickhouse.user or clickhouse.password is wrong",
        // SETTING_CONSTRAINT_VIOLATION
        452 => "the profile of clickhouse.user forbids a setting of Rollcall's: change its constraint",
        // ACCESS_DENIED
        497 => "clickhouse.user lacks a right: grant it",
        _ => return None,
    })
}

/// The number in `Code: 60. DB::Exception: …`; none where what answered was not ClickHouse but, say, a proxy with a page.
fn exception_code(text: &str) -> Option<u32> {
    let (before, rest) = text.split_once("Code: ")?;
    if before.contains('<') {
        return None;
    }
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A text as a line of the log holds it: of a page of HTML its title or what it says, and not too long.
fn one_line(text: &str) -> String {
    /// The maximum number of characters.
    const LENGTH: usize = 1_000;
    let mut line = String::new();
    if text.trim_start().starts_with('<') {
        let title = text
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once("</title>"));
        match title {
            Some((title, _)) => line.push_str(title),
            None => line.extend(
                text.split('<')
                    .map(|tag| tag.split_once('>').map_or(" ", |(_, after)| after)),
            ),
        }
    } else {
        line.push_str(text);
    }
    let words: Vec<_> = line.split_whitespace().collect();
    words.join(" ").chars().take(LENGTH).collect()
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
        assert!(Error::from(bad("Code: 236. DB::Exception: The server is shutting down")).is_transient());
        let missing = bad("Code: 60. DB::Exception: Table rollcall.messages does not exist");
        assert!(matches!(Error::from(missing), Error::Refused(_)));
    }

    #[test]
    fn a_page_of_a_proxy_is_one_line_and_may_pass() {
        for (page, line) in [
            (
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>Error Code: 502</h1></body></html>",
                "bad response: 502 Bad Gateway",
            ),
            (
                "<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n",
                "bad response: 503 Service Unavailable No server is available.",
            ),
            ("upstream\n timed out", "bad response: upstream timed out"),
        ] {
            let Error::Unavailable(source) = Error::from(bad(page)) else {
                panic!("{page}");
            };
            assert_eq!(source.to_string(), line);
        }
    }

    #[test]
    fn who_may_not_is_said_with_what_to_change() {
        for (text, named) in [
            (
                "Code: 164. DB::Exception: Cannot modify 'max_execution_time' setting in readonly mode",
                "readonly = 2",
            ),
            ("Code: 497. DB::Exception: reader: Not enough privileges", "right"),
            (
                "Code: 516. DB::Exception: reader: Authentication failed",
                "clickhouse.password",
            ),
        ] {
            let error = Error::from(bad(text));
            assert!(matches!(error, Error::NotAllowed { .. }), "{error:?}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn a_value_that_is_not_taken_is_the_fault_of_its_row() {
        let violated = bad("Code: 469. DB::Exception: Constraint `short` is violated at row 3");
        assert!(matches!(Error::from(violated), Error::InvalidRows(_)));
    }
}
