//! What the server says when it does not do what was asked.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::EngineError;

/// The longest text that is put into a result that has begun, in bytes; clients hold it in one buffer.
const LONGEST_IN_STREAM: usize = 16 * 1024;

/// ClickHouse's numbers of what this interface itself refuses, from its `ErrorCodes.cpp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    CannotReadAllData,
    BadArguments,
    TooLargeSizeCompressed,
    ChecksumDoesntMatch,
    NotImplemented,
    SyntaxError,
    NetworkError,
    QueryIsTooLarge,
    CannotDecompress,
    ZlibInflateFailed,
    SessionNotFound,
    UnknownCodec,
    CannotParseBool,
    PocoException,
    StdException,
}

impl Refusal {
    const fn code_and_name(self) -> (u32, &'static str) {
        match self {
            Self::CannotReadAllData => (33, "CANNOT_READ_ALL_DATA"),
            Self::BadArguments => (36, "BAD_ARGUMENTS"),
            Self::TooLargeSizeCompressed => (39, "TOO_LARGE_SIZE_COMPRESSED"),
            Self::ChecksumDoesntMatch => (40, "CHECKSUM_DOESNT_MATCH"),
            Self::NotImplemented => (48, "NOT_IMPLEMENTED"),
            Self::SyntaxError => (62, "SYNTAX_ERROR"),
            Self::NetworkError => (210, "NETWORK_ERROR"),
            Self::QueryIsTooLarge => (229, "QUERY_IS_TOO_LARGE"),
            Self::CannotDecompress => (271, "CANNOT_DECOMPRESS"),
            Self::ZlibInflateFailed => (354, "ZLIB_INFLATE_FAILED"),
            Self::SessionNotFound => (372, "SESSION_NOT_FOUND"),
            Self::UnknownCodec => (432, "UNKNOWN_CODEC"),
            Self::CannotParseBool => (467, "CANNOT_PARSE_BOOL"),
            Self::PocoException => (1000, "POCO_EXCEPTION"),
            Self::StdException => (1001, "STD_EXCEPTION"),
        }
    }
}

/// An exception as clients of ClickHouse know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    code: u32,
    text: String,
}

impl Exception {
    /// One of the interface's own.
    pub(super) fn new(refusal: Refusal, message: impl std::fmt::Display) -> Self {
        let (code, name) = refusal.code_and_name();
        Self {
            code,
            text: format!("Code: {code}. DB::Exception: {message}. ({name})"),
        }
    }

    /// What ends a result that has begun: the block that servers since 25.11 write, marked with the tag that the
    /// response's `X-ClickHouse-Exception-Tag` announced.
    pub(super) fn in_stream(&self, tag: &str) -> Bytes {
        let mut end = self.text.len().min(LONGEST_IN_STREAM);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let text = self.text.get(..end).unwrap_or_default();
        let length = text.len() + 1;
        format!("\r\n__exception__\r\n{tag}\r\n{text}\n{length} {tag}\r\n__exception__\r\n").into()
    }

    /// The status that a server answers its code with (`exceptionCodeToHTTPStatus.cpp`).
    fn status(&self) -> StatusCode {
        match self.code {
            6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167 | 168
            | 223 | 321 | 376 | 427 | 441 | 675 | 676 => StatusCode::BAD_REQUEST,
            194 => StatusCode::UNAUTHORIZED,
            192 | 193 | 497 | 512 | 516 => StatusCode::FORBIDDEN,
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 511 => StatusCode::NOT_FOUND,
            159 => StatusCode::REQUEST_TIMEOUT,
            381 => StatusCode::LENGTH_REQUIRED,
            229 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            76 | 209 | 439 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<EngineError> for Exception {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Exception { code, message } => {
                let text = message.trim();
                // Clients look for this beginning.
                let text = if text.starts_with("Code:") {
                    text.to_owned()
                } else {
                    format!("Code: {code}. DB::Exception: {text}")
                };
                Self { code, text }
            }
            other => Self::new(Refusal::StdException, other),
        }
    }
}

impl IntoResponse for Exception {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(format!("{}\n", self.text)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert("x-clickhouse-exception-code", HeaderValue::from(self.code));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=UTF-8"),
        );
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_has_the_servers_status() {
        for (code, status) in [
            (60, 404),
            (81, 404),
            (62, 400),
            (159, 408),
            (194, 401),
            (229, 413),
            (241, 500),
            (516, 403),
            (0, 500),
        ] {
            let exception = Exception::from(EngineError::Exception {
                code,
                message: "no".to_owned(),
            });
            assert_eq!(exception.into_response().status().as_u16(), status, "code {code}");
        }
    }

    #[test]
    fn the_engines_text_is_kept_and_gets_the_beginning_that_clients_look_for() {
        let text = |message: &str| {
            Exception::from(EngineError::Exception {
                code: 60,
                message: message.to_owned(),
            })
            .text
        };
        assert_eq!(
            text("Code: 60. DB::Exception: no table. (UNKNOWN_TABLE)\n"),
            "Code: 60. DB::Exception: no table. (UNKNOWN_TABLE)"
        );
        assert_eq!(text("no table"), "Code: 60. DB::Exception: no table");
    }

    #[test]
    fn the_block_in_a_stream_tells_the_length_of_its_text_and_is_bounded() {
        let exception = Exception::new(Refusal::SyntaxError, "no");
        assert_eq!(
            exception.in_stream("tag"),
            "\r\n__exception__\r\ntag\r\nCode: 62. DB::Exception: no. (SYNTAX_ERROR)\n44 tag\r\n__exception__\r\n"
        );
        let long = Exception::new(Refusal::SyntaxError, "é".repeat(LONGEST_IN_STREAM));
        assert!(long.in_stream("tag").len() < LONGEST_IN_STREAM + 100);
    }
}
