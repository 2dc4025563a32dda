//! What a request asks for beside its text: its URL's parameters and its headers.

use axum::http::{HeaderMap, HeaderValue, Method, header, request::Parts};

use crate::engine::Statement;

use super::{
    body::Packing,
    exception::{Exception, Refusal},
};

/// How much of a result is held back before its first byte is sent, in bytes, so that an error in it still has
/// its own status. As in a server.
const HOLD: usize = 1024 * 1024;
/// The most that is held back at a client's wish, in bytes; a longer result streams.
const HOLD_AT_MOST: usize = 64 * 1024 * 1024;

/// Parameters that are this interface's own and change nothing here. The engine has no users, and a connection
/// keeps no state between statements, so that sessions are but a name.
const NO_EFFECT: [&str; 20] = [
    "user",
    "password",
    "quota_key",
    "role",
    "session_id",
    "session_timeout",
    "close_session",
    "stacktrace",
    "enable_http_compression",
    "http_zlib_compression_level",
    "http_native_compression_disable_checksumming_on_decompress",
    "http_headers_progress_interval_ms",
    "http_write_exception_in_output_format",
    "http_receive_timeout",
    "http_send_timeout",
    "http_connection_timeout",
    "send_progress_in_http_headers",
    "add_http_cors_header",
    "cancel_http_readonly_queries_on_client_close",
    "framing",
];

/// A request, all but its text.
#[derive(Debug)]
pub(super) struct Ask {
    /// The statement without its text.
    pub(super) statement: Statement,
    /// The query of the URL.
    pub(super) query: Option<String>,
    /// The name that the client gave the query.
    pub(super) query_id: Option<HeaderValue>,
    /// Whether only statements that read are let through.
    pub(super) read_only: bool,
    /// How the body is packed.
    pub(super) packing: Packing,
    /// Whether the result goes out in ClickHouse's frames.
    pub(super) compress: bool,
    /// How much of the result is held back before its first byte is sent, in bytes.
    pub(super) hold: usize,
}

impl Ask {
    /// Reads the head of a request.
    pub(super) fn new(parts: &Parts) -> Result<Self, Exception> {
        let mut ask = Self {
            statement: Statement::default(),
            query: None,
            query_id: None,
            read_only: matches!(parts.method, Method::GET | Method::HEAD),
            packing: Packing {
                gzip: gzipped(&parts.headers)?,
                frames: false,
            },
            compress: false,
            hold: HOLD,
        };
        for (name, field) in [
            ("x-clickhouse-database", "database"),
            ("x-clickhouse-format", "default_format"),
        ] {
            if let Some(value) = parts.headers.get(name) {
                let value = value
                    .to_str()
                    .map_err(|_| bad(format!("Header {name} is not ASCII")))?;
                ask.set(field.to_owned(), value.to_owned())?;
            }
        }
        for pair in parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            ask.set(decode(name)?, decode(value)?)?;
        }
        if ask.read_only {
            let level = ask.statement.settings.entry("readonly".to_owned()).or_default();
            // Level 1 forbids even settings; 2 is what a server gives a GET.
            if level != "1" {
                "2".clone_into(level);
            }
        }
        Ok(ask)
    }

    /// Takes a parameter. Whatever the interface does not know is a setting of the statement.
    pub(super) fn set(&mut self, name: String, value: String) -> Result<(), Exception> {
        match name.as_str() {
            "query" => self.query = Some(value),
            "database" => self.statement.database = value,
            "default_format" => self.statement.format = value,
            "query_id" => {
                let id = HeaderValue::from_str(&value)
                    .map_err(|_| bad("Parameter query_id has characters that no header can carry"))?;
                self.query_id = Some(id).filter(|id| !id.is_empty());
            }
            "compress" => self.compress = flag(&name, &value)?,
            "decompress" => self.packing.frames = flag(&name, &value)?,
            "wait_end_of_query" | "http_wait_end_of_query" => {
                if flag(&name, &value)? {
                    self.hold = HOLD_AT_MOST;
                }
            }
            "buffer_size" | "http_response_buffer_size" => {
                let bytes: usize = value
                    .parse()
                    .map_err(|_| bad(format!("Parameter {name} is no number: {value}")))?;
                self.hold = self.hold.max(bytes.min(HOLD_AT_MOST));
            }
            "session_check" if flag(&name, &value)? => {
                return Err(Exception::new(
                    Refusal::SessionNotFound,
                    "Session not found: the embedded engine keeps no sessions",
                ));
            }
            "client_protocol_version" if value != "0" => {
                return Err(Exception::new(
                    Refusal::NotImplemented,
                    "Parameter client_protocol_version must be 0: the embedded engine writes Native \
                     as for clients that name no version",
                ));
            }
            "session_check" | "client_protocol_version" => {}
            known if NO_EFFECT.contains(&known) => {}
            other => match other.strip_prefix("param_") {
                Some(parameter) => {
                    self.statement.parameters.insert(parameter.to_owned(), value);
                }
                None => {
                    self.statement.settings.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

fn bad(message: impl std::fmt::Display) -> Exception {
    Exception::new(Refusal::BadArguments, message)
}

fn flag(name: &str, value: &str) -> Result<bool, Exception> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(Exception::new(
            Refusal::CannotParseBool,
            format!("Parameter {name} must be 0 or 1, not {value}"),
        )),
    }
}

fn gzipped(headers: &HeaderMap) -> Result<bool, Exception> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else {
        return Ok(false);
    };
    match encoding.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
        b"" | b"identity" => Ok(false),
        b"gzip" | b"x-gzip" => Ok(true),
        other => Err(Exception::new(
            Refusal::NotImplemented,
            format!(
                "Content-Encoding {} is not supported: use gzip or none",
                String::from_utf8_lossy(other)
            ),
        )),
    }
}

/// Undoes the encoding of a URL's parameters.
fn decode(text: &str) -> Result<String, Exception> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = digit()
                    .zip(digit())
                    .ok_or_else(|| bad("The URL has a % without two hex digits"))?;
                u8::try_from(high * 16 + low).expect("two hex digits are below 256")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("The URL is not UTF-8 when decoded"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn ask(uri: &str) -> Result<Ask, Exception> {
        let (parts, ()) = Request::post(uri)
            .header("X-ClickHouse-Database", "from_header")
            .header("X-ClickHouse-Format", "CSV")
            .body(())
            .unwrap()
            .into_parts();
        Ask::new(&parts)
    }

    #[test]
    fn what_the_interface_does_not_know_is_a_setting_of_the_statement() {
        let ask = ask("/?max_threads=2&param_name=a%20b+c&user=u&role=a&role=b&session_id=s&query=SELECT%201&database=d").unwrap();
        assert_eq!(ask.query.as_deref(), Some("SELECT 1"));
        assert_eq!(ask.statement.database, "d");
        assert_eq!(ask.statement.format, "CSV");
        assert_eq!(
            ask.statement.settings,
            [("max_threads".to_owned(), "2".to_owned())].into()
        );
        assert_eq!(
            ask.statement.parameters,
            [("name".to_owned(), "a b c".to_owned())].into()
        );
    }

    #[test]
    fn headers_name_the_database_where_the_url_does_not() {
        assert_eq!(ask("/").unwrap().statement.database, "from_header");
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (uri, name) in [
            ("/?query=%zz", "(BAD_ARGUMENTS)"),
            ("/?query=%e", "(BAD_ARGUMENTS)"),
            ("/?query=%ff", "(BAD_ARGUMENTS)"),
            ("/?query_id=a%0ab", "(BAD_ARGUMENTS)"),
            ("/?compress=maybe", "(CANNOT_PARSE_BOOL)"),
            ("/?buffer_size=-1", "(BAD_ARGUMENTS)"),
            ("/?session_id=s&session_check=1", "(SESSION_NOT_FOUND)"),
            ("/?client_protocol_version=54405", "(NOT_IMPLEMENTED)"),
        ] {
            let text = format!("{:?}", ask(uri).unwrap_err());
            assert!(text.contains(name), "{uri}: {text}");
        }
    }
}
