//! Inserts over HTTP.
//!
//! The client of `clickhouse` hides the status of an answer that is not ClickHouse's, such as the 413 of a proxy, and does
//! not say how long an insert will be, so that a proxy would read much of what it refuses.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use clickhouse::error::Error as Source;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::{Body, Frame, SizeHint},
    http::uri::InvalidUri,
};
use hyper_util::client::legacy::Client;

use crate::{error::Error, nodes::Nodes, settings::Settings, tables::Insert};

/// The maximum length of an answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Names the code of its exception in an answer of ClickHouse's.
const EXCEPTION_CODE: &str = "X-ClickHouse-Exception-Code";

/// Sends inserts. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Inserter(Client<Nodes, Chunks>);

/// The chunks of an insert that are not sent yet.
struct Chunks(std::vec::IntoIter<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        let bytes: usize = self.0.as_slice().iter().map(Bytes::len).sum();
        u64::try_from(bytes).map_or_else(|_| SizeHint::new(), SizeHint::with_exact)
    }
}

impl Inserter {
    pub(crate) fn new(nodes: &Nodes) -> Self {
        Self(nodes.client())
    }

    /// Inserts a block, and returns once ClickHouse has acknowledged it, views included.
    pub(crate) async fn insert(&self, settings: &Settings, insert: &Insert) -> Result<(), Error> {
        let request = Request::post(target(settings, insert)?)
            .header("X-ClickHouse-User", &settings.user)
            .header("X-ClickHouse-Key", &settings.password)
            .body(Chunks(insert.chunks.clone().into_iter()))
            .map_err(|error| Source::InvalidParams(error.into()))?;
        let answer = self.0.request(request).await.map_err(|error| {
            if error.is_connect() {
                Error::Unavailable(error.into())
            } else {
                Error::Unanswered(error.into())
            }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(Source::Network)?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        match head.headers.get(EXCEPTION_CODE) {
            // What acknowledges an insert is empty: a page is not ClickHouse's.
            None if head.status == StatusCode::OK && text.is_empty() => Ok(()),
            None => Err(Error::of_proxy(head.status, &text)),
            Some(code) if text.is_empty() => {
                let code = String::from_utf8_lossy(code.as_bytes());
                Err(Source::BadResponse(format!("Code: {code}")).into())
            }
            Some(_) => Err(Source::BadResponse(text).into()),
        }
    }
}

/// Where a block is sent.
fn target(settings: &Settings, insert: &Insert) -> Result<Uri, Error> {
    let invalid = |error: hyper::http::Error| Error::from(Source::InvalidParams(error.into()));
    let url: Uri = settings
        .urls()
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|error: InvalidUri| invalid(error.into()))?;
    let table = settings.spread_over_shards(insert.table);
    let statement = format!("INSERT INTO {table} ({}) FORMAT Native", insert.columns);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&settings.settings)
        .append_pair("database", &settings.database)
        .append_pair("query", &statement)
        // An acknowledgement must mean that the rows are there, and one insert is one block already.
        .append_pair("async_insert", "0")
        .append_pair("distributed_foreground_insert", "1")
        // A block that is sent again may be one of which ClickHouse has the first part alone, or had, before rows were deleted.
        .append_pair("insert_deduplicate", "0")
        // A batch and its views bring each row once, or a fact that may be repeated: there is nothing to fold.
        .append_pair("optimize_on_insert", "0")
        .finish();
    let target = format!("{}?{query}", url.path());
    let mut parts = url.into_parts();
    parts.path_and_query = Some(
        target
            .parse()
            .map_err(|error: InvalidUri| invalid(error.into()))?,
    );
    Uri::from_parts(parts).map_err(|error| invalid(error.into()))
}
