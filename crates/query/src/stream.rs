//! Lists of conversations; those of unknown length are written in constant memory.

use axum::body::{Body, Bytes};
use events::{Conversation, ConversationMessage};
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use serde::Serialize;

use crate::{
    csv,
    dto::{MessageModel, Transcript},
    error::Error,
    format::Format,
};

/// Writes a whole list.
pub(crate) fn whole(format: Format, conversations: &[Conversation]) -> Vec<u8> {
    let (begin, end) = brackets(format);
    [begin, write(format, conversations, &mut true), end.to_vec()].concat()
}

/// Writes a list of conversations while they are read: see [`body`].
pub(crate) async fn list(
    format: Format,
    chunks: impl Stream<Item = Result<Vec<Conversation>, Error>> + Send + Unpin + 'static,
) -> Result<Body, Error> {
    let (begin, end) = brackets(format);
    let mut is_first = true;
    body(
        begin,
        chunks,
        move |chunk| write(format, chunk, &mut is_first),
        end,
    )
    .await
}

/// Writes the messages of a conversation while they are read: see [`body`].
pub(crate) async fn messages(
    chunks: impl Stream<Item = Result<Vec<ConversationMessage>, Error>> + Send + Unpin + 'static,
) -> Result<Body, Error> {
    let (begin, end) = brackets(Format::Json);
    let mut is_first = true;
    body(
        begin,
        chunks,
        move |chunk| json(chunk.iter().map(MessageModel::from), &mut is_first),
        end,
    )
    .await
}

/// Writes a list while its items are read. The first chunk is awaited, so that a list which cannot be
/// read at all is an error and not a body; one that breaks off later is logged, and its body is cut short
/// without the end that HTTP asks for.
async fn body<T: Send + 'static>(
    begin: Vec<u8>,
    mut chunks: impl Stream<Item = Result<Vec<T>, Error>> + Send + Unpin + 'static,
    mut write: impl FnMut(&[T]) -> Vec<u8> + Send + 'static,
    end: &'static [u8],
) -> Result<Body, Error> {
    let first = chunks.try_next().await?;
    let chunks = stream::iter(first).map(Ok).chain(chunks);
    let items = chunks
        .map_ok(move |chunk| Bytes::from(write(&chunk)))
        .inspect_err(Error::log);
    let once = |bytes: Bytes| stream::once(future::ready(Ok(bytes)));
    let body = once(begin.into())
        .chain(items)
        .chain(once(Bytes::from_static(end)));
    Ok(Body::from_stream(body))
}

/// What stands before the items of a list, and after them.
fn brackets(format: Format) -> (Vec<u8>, &'static [u8]) {
    match format {
        Format::Json => (b"[".to_vec(), b"]"),
        Format::Csv => (csv::conversation_header(), b""),
    }
}

fn write(format: Format, chunk: &[Conversation], is_first: &mut bool) -> Vec<u8> {
    match format {
        Format::Json => json(chunk.iter().map(Transcript::from), is_first),
        Format::Csv => csv::conversations(chunk),
    }
}

/// Writes items of a JSON array.
fn json(items: impl Iterator<Item: Serialize>, is_first: &mut bool) -> Vec<u8> {
    let mut json = Vec::new();
    for item in items {
        if !std::mem::take(is_first) {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &item)
            .expect("an item is made of texts, numbers and lists, all of which JSON can write");
    }
    json
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, routing::get};
    use events::Timestamp;
    use http_body_util::BodyExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };
    use uuid::Uuid;

    use super::*;

    fn conversation(id: u128) -> Conversation {
        Conversation {
            id: Uuid::from_u128(id),
            user_id: "7".to_owned(),
            first_message: "say \"hi\"".to_owned(),
            message_count: 2,
            model: String::new(),
            inserted_at: Timestamp::from_millis(1_709_251_199_999),
            topics: vec!["a".to_owned(), "b".to_owned()],
            user_sentiment: "unknown",
        }
    }

    async fn body(chunks: Vec<Result<Vec<Conversation>, Error>>) -> Result<Bytes, Error> {
        let body = list(Format::Json, stream::iter(chunks)).await?;
        Ok(body.collect().await.expect("no chunk is an error").to_bytes())
    }

    #[tokio::test]
    async fn chunks_make_one_array() {
        let item = |id: u128| {
            serde_json::json!({
                "first_message": "say \"hi\"",
                "topics": [{"name": "a"}, {"name": "b"}],
                "id": Uuid::from_u128(id).to_string(),
                "user_id": "7",
                "message_count": 2,
                "model": "",
                "inserted_at": "2024-02-29T23:59:59.999Z",
                "user_sentiment": "unknown",
            })
        };
        for (sizes, ids) in [
            (vec![], vec![]),
            (vec![0], vec![]),
            (vec![1], vec![0]),
            (vec![0, 2, 0, 1, 0], vec![0, 1, 2]),
        ] {
            let mut next = 0..;
            let chunks = sizes
                .iter()
                .map(|size| Ok(next.by_ref().take(*size).map(conversation).collect()));
            let body = body(chunks.collect()).await.unwrap();
            let expected: Vec<_> = ids.into_iter().map(item).collect();
            let found: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(found, serde_json::Value::from(expected), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_is_an_error_and_not_a_body() {
        let error = body(vec![Err(Error::Timeout(Duration::ZERO))]).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(_)));
    }

    #[tokio::test]
    async fn a_list_that_breaks_off_cuts_the_body_short() {
        let chunks = vec![Ok(vec![conversation(1)]), Err(Error::Timeout(Duration::ZERO))];
        let mut body = list(Format::Json, stream::iter(chunks)).await.unwrap();
        let mut read = Vec::new();
        let end = loop {
            match body.frame().await {
                Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().unwrap()),
                end => break end,
            }
        };
        assert!(end.unwrap().is_err());
        assert!(read.ends_with(b"}"), "{}", String::from_utf8_lossy(&read));
    }

    /// All that a client reads of a list until the connection ends.
    async fn over_http(chunks: fn() -> Vec<Result<Vec<Conversation>, Error>>) -> String {
        // A chunk that is not there yet has the server send those before it.
        let delayed = move || {
            stream::iter(chunks()).then(|chunk| async {
                tokio::task::yield_now().await;
                chunk
            })
        };
        let router = Router::new().route("/", get(move || list(Format::Json, Box::pin(delayed()))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(axum::serve(listener, router).into_future());
        let mut client = TcpStream::connect(addr).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn over_http_only_a_whole_list_has_an_end() {
        const END_OF_CHUNKS: &str = "\r\n0\r\n\r\n";
        let whole = over_http(|| vec![Ok(vec![conversation(1)])]).await;
        assert!(whole.ends_with(&format!("]{END_OF_CHUNKS}")), "{whole}");
        let broken = over_http(|| vec![Ok(vec![conversation(1)]), Err(Error::Timeout(Duration::ZERO))]).await;
        assert!(broken.contains("HTTP/1.1 200"), "{broken}");
        assert!(!broken.ends_with(END_OF_CHUNKS), "{broken}");
    }
}
