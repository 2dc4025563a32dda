//! A result on its way out.

use std::{collections::VecDeque, io, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures::stream;

use crate::engine::Rows;

use super::{
    documents::{Documents, Joining},
    exception::Exception,
    frames,
};

/// How long a connection is left open behind an exception in its stream, so that the exception is sent before
/// the connection breaks. A client that reads more slowly sees the break alone.
const BEFORE_BREAK: Duration = Duration::from_millis(100);

/// How a result is sent.
#[derive(Debug)]
pub(super) struct Sending {
    /// The name of its format, for clients and for the content's type.
    pub(super) format: String,
    /// How its chunks become one.
    pub(super) joining: Joining,
    /// Whether it goes out in ClickHouse's frames.
    pub(super) compress: bool,
    /// How much of it is held back before its first byte is sent, in bytes.
    pub(super) hold: usize,
    /// What marks an exception within it.
    pub(super) tag: String,
}

/// The response of these rows: an exception if one comes before the first byte is sent.
pub(super) async fn answer(rows: Rows, sending: Sending) -> Result<Response, Exception> {
    let mut rows = Documents::new(rows, sending.joining);
    // What cannot be joined is refused before it is sent.
    let enough = if sending.joining == Joining::Single {
        usize::MAX
    } else {
        sending.hold
    };
    let mut held = VecDeque::new();
    let mut bytes = 0;
    let rest = loop {
        if bytes >= enough {
            break Some(rows);
        }
        let Some(chunk) = rows.next().await? else {
            break None;
        };
        bytes += chunk.len();
        held.push_back(chunk);
    };
    let content_type = content_type(&sending.format);
    let format = HeaderValue::from_str(&sending.format);
    let mut response = Response::new(body(held, rest, sending));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(format) = format {
        headers.insert("x-clickhouse-format", format);
    }
    Ok(response)
}

/// The rest of a result.
#[derive(Debug)]
struct Stream {
    held: VecDeque<Bytes>,
    rows: Option<Documents>,
    sending: Sending,
    broken: bool,
}

fn body(held: VecDeque<Bytes>, rows: Option<Documents>, sending: Sending) -> Body {
    let mut stream = Stream {
        held,
        rows,
        sending,
        broken: false,
    };
    // A result that is here as a whole has a known length.
    if stream.rows.is_none() && stream.held.len() <= 1 {
        let chunk = stream.held.pop_front().unwrap_or_default();
        return Body::from(stream.packed(chunk));
    }
    Body::from_stream(stream::unfold(stream, |mut stream| async {
        let item = stream.next().await?;
        Some((item, stream))
    }))
}

impl Stream {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.broken {
            // No last chunk of HTTP follows, so that even clients that know nothing of exceptions in a stream
            // see that the result is cut.
            tokio::time::sleep(BEFORE_BREAK).await;
            return Some(Err(io::Error::other("the result was cut by an exception")));
        }
        let chunk = match (self.held.pop_front(), &mut self.rows) {
            (Some(chunk), _) => Ok(Some(chunk)),
            (None, Some(rows)) => rows.next().await,
            (None, None) => Ok(None),
        };
        match chunk {
            Ok(chunk) => chunk.map(|chunk| Ok(self.packed(chunk))),
            Err(exception) => {
                self.rows = None;
                self.broken = true;
                // What was sent before goes out by itself: clients look for the exception in one piece.
                tokio::task::yield_now().await;
                Some(Ok(self.packed(exception.in_stream(&self.sending.tag))))
            }
        }
    }

    fn packed(&self, chunk: Bytes) -> Bytes {
        if self.sending.compress {
            frames::compress(&chunk)
        } else {
            chunk
        }
    }
}

/// The content's type that a server gives a format.
fn content_type(format: &str) -> &'static str {
    match format {
        "TabSeparated"
        | "TSV"
        | "TabSeparatedRaw"
        | "TSVRaw"
        | "Raw"
        | "TabSeparatedWithNames"
        | "TSVWithNames"
        | "TabSeparatedWithNamesAndTypes"
        | "TSVWithNamesAndTypes" => "text/tab-separated-values; charset=UTF-8",
        "CSV" => "text/csv; charset=UTF-8; header=absent",
        "CSVWithNames" | "CSVWithNamesAndTypes" => "text/csv; charset=UTF-8; header=present",
        "JSON"
        | "JSONStrings"
        | "JSONCompact"
        | "JSONCompactStrings"
        | "JSONColumns"
        | "JSONCompactColumns"
        | "JSONColumnsWithMetadata"
        | "JSONObjectEachRow" => "application/json; charset=UTF-8",
        "JSONLines" | "NDJSON" => "application/x-ndjson; charset=UTF-8",
        each_row if each_row.starts_with("JSON") => "application/x-ndjson; charset=UTF-8",
        "XML" => "application/xml; charset=UTF-8",
        "Markdown" => "text/markdown; charset=UTF-8",
        pretty if pretty.starts_with("Pretty") => "text/plain; charset=UTF-8",
        "Values" | "Vertical" => "text/plain; charset=UTF-8",
        _ => "application/octet-stream",
    }
}
