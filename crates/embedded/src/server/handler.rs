//! The handler of statements: from the head of a request to its response.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};

use crate::{Engine, engine::Statement};

use super::{
    answer::{Sending, answer},
    ask::Ask,
    body::{Packing, Source},
    documents::Joining,
    exception::{Exception, Refusal},
    form,
    split::{Split, output_format, selects_from_data, split},
};

/// What a server that is well says.
pub(super) const OK: &str = "Ok.\n";

/// The longest statement, with data that cannot be split off it, in bytes: all of it is held in memory.
const LONGEST: usize = 64 * 1024 * 1024;
/// A text that is looked at with every piece that arrives, in bytes.
const SHORT: usize = 16 * 1024;
/// How much data of an insert is gathered before the engine gets it, in bytes.
const PIECE: usize = 256 * 1024;

/// Runs the statement of a request.
pub(super) async fn statement(State(engine): State<Engine>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let tag = tag();
    let mut query_id = None;
    let outcome = match Ask::new(&parts) {
        Ok(ask) => {
            query_id = ask.query_id.clone();
            respond(&engine, &parts, ask, body, &tag).await
        }
        Err(exception) => {
            Source::new(None, body, Packing::default()).drain().await;
            Err(exception)
        }
    };
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    headers.insert("x-clickhouse-query-id", query_id.unwrap_or_else(new_query_id));
    headers.insert(
        "x-clickhouse-server-display-name",
        HeaderValue::from_static("embedded"),
    );
    headers.insert("x-clickhouse-timezone", HeaderValue::from_static("UTC"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert("x-clickhouse-exception-tag", tag);
    }
    response
}

/// Answers a path that nothing serves.
pub(super) async fn no_such_path(uri: Uri) -> Response {
    let text = format!(
        "There is no handle {}\n\nUse / or /ping for health checks.\n",
        uri.path()
    );
    (StatusCode::NOT_FOUND, text).into_response()
}

/// The text of a request, and what follows it.
enum Text {
    /// A statement as a whole.
    Whole(Vec<u8>),
    /// An insert; its data is still to be read.
    Insert { statement: Vec<u8>, format: String },
}

async fn respond(
    engine: &Engine,
    parts: &Parts,
    mut ask: Ask,
    body: Body,
    tag: &str,
) -> Result<Response, Exception> {
    let body = match form::boundary(&parts.headers) {
        Some(boundary) => {
            form::read(&mut ask, body, boundary, LONGEST).await?;
            Body::empty()
        }
        None => body,
    };
    // As in a server, data in the body follows the URL's query on a line of its own.
    let ahead = ask.query.take().map(|query| Bytes::from(query + "\n"));
    let mut source = Source::new(ahead, body, ask.packing);
    let outcome = run(engine, ask, &mut source, tag).await;
    if outcome.is_err() {
        source.drain().await;
    }
    outcome
}

async fn run(engine: &Engine, ask: Ask, source: &mut Source, tag: &str) -> Result<Response, Exception> {
    match read_text(source).await? {
        Text::Whole(text) => {
            if text.trim_ascii().is_empty() {
                return empty(&ask);
            }
            let sql = utf8(text)?;
            // The engine would insert nothing and say that all is well.
            if selects_from_data(&sql) {
                return Err(Exception::new(
                    Refusal::NotImplemented,
                    "The table function input is not supported by the embedded engine: insert the data \
                     into a table and select from that",
                ));
            }
            let named = output_format(&sql);
            let statement = Statement { sql, ..ask.statement };
            let format = named.unwrap_or_else(|| match statement.format.as_str() {
                "" => "TabSeparated".to_owned(),
                format => format.to_owned(),
            });
            let sending = Sending {
                joining: Joining::of(&format, &statement),
                format,
                compress: ask.compress,
                hold: ask.hold,
                tag: tag.to_owned(),
            };
            answer(engine.run(statement).await?, sending).await
        }
        Text::Insert { statement, format } => {
            let statement = Statement {
                sql: utf8(statement)?,
                ..ask.statement
            };
            let rows = insert(engine, statement, &format, source).await?;
            Ok(written(rows))
        }
    }
}

/// Reads as much of the request as it takes to tell what it is, and all of it where it is a whole.
async fn read_text(source: &mut Source) -> Result<Text, Exception> {
    let mut text = BytesMut::new();
    let mut split_at = 0;
    let mut whole = false;
    loop {
        let piece = source.next().await?;
        let complete = piece.is_none();
        text.extend_from_slice(&piece.unwrap_or_default());
        // To look at a long text again with every piece would cost the square of its length.
        if !whole && (complete || text.len() >= split_at) {
            match split(&text, complete) {
                Split::Undecided if text.len() > SHORT => split_at = text.len() * 2,
                Split::Undecided => {}
                Split::Whole => whole = true,
                Split::Insert {
                    statement,
                    format,
                    data,
                } => {
                    let data = text.split_off(data).freeze();
                    if !data.is_empty() {
                        source.put_back(data);
                    }
                    return Ok(Text::Insert { statement, format });
                }
            }
        }
        if complete {
            return Ok(Text::Whole(text.into()));
        }
        if text.len() > LONGEST {
            return Err(Exception::new(
                Refusal::QueryIsTooLarge,
                format!(
                    "Query is too large: more than {LONGEST} bytes; insert data by INSERT INTO table FORMAT name"
                ),
            ));
        }
    }
}

/// Inserts what the source still holds; nothing of it where the source fails.
async fn insert(
    engine: &Engine,
    statement: Statement,
    format: &str,
    source: &mut Source,
) -> Result<u64, Exception> {
    let mut insert = engine.insert(statement, format).await?;
    let mut gathered = BytesMut::new();
    while let Some(piece) = source.next().await? {
        if gathered.is_empty() && piece.len() >= PIECE {
            insert.append(piece).await?;
            continue;
        }
        gathered.extend_from_slice(&piece);
        if gathered.len() >= PIECE {
            insert.append(gathered.split().freeze()).await?;
        }
    }
    if !gathered.is_empty() {
        insert.append(gathered.freeze()).await?;
    }
    Ok(insert.finish().await?)
}

fn written(rows: u64) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=UTF-8"),
    );
    let summary = format!(r#"{{"read_rows":"{rows}","written_rows":"{rows}","result_rows":"{rows}"}}"#);
    if let Ok(summary) = HeaderValue::from_str(&summary) {
        headers.insert("x-clickhouse-summary", summary);
    }
    response
}

fn empty(ask: &Ask) -> Result<Response, Exception> {
    if ask.read_only {
        return Ok(OK.into_response());
    }
    Err(Exception::new(Refusal::SyntaxError, "Syntax error: Empty query"))
}

fn utf8(text: Vec<u8>) -> Result<String, Exception> {
    String::from_utf8(text).map_err(|error| {
        Exception::new(
            Refusal::BadArguments,
            format!(
                "The query is not UTF-8 at byte {}",
                error.utf8_error().valid_up_to()
            ),
        )
    })
}

/// What marks an exception in this response, so that no data can pass for one.
fn tag() -> String {
    rand::random::<[u8; 16]>()
        .into_iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

fn new_query_id() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    HeaderValue::from_str(&id.to_string()).expect("a UUID is hex digits and dashes")
}
