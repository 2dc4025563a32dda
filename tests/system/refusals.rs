//! What ClickHouse, or a proxy before it, refuses: nothing is lost by it, and it is said what to do.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use consumer::Stored;
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    command_line::run,
    harness::{Parts, Process, subdirectory, until},
    records::{Record, read_all},
};

const ORG: &str = "refused";

/// An HTTP proxy before ClickHouse.
struct Front {
    url: String,
    state: Arc<FrontState>,
    _serving: JoinSet<()>,
}

struct FrontState {
    clickhouse: String,
    client: reqwest::Client,
    /// The longest body that it lets through.
    max_body: AtomicUsize,
    is_down: AtomicBool,
    /// How many bodies it has refused.
    refused: AtomicUsize,
}

impl Front {
    async fn start(clickhouse: &str, max_body: usize) -> Self {
        let state = Arc::new(FrontState {
            clickhouse: clickhouse.trim_end_matches('/').to_owned(),
            client: reqwest::Client::new(),
            max_body: max_body.into(),
            is_down: false.into(),
            refused: 0.into(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(forward).with_state(Arc::clone(&state));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            state,
            _serving: serving,
        }
    }
}

/// Passes requests on to a server, and closes the connection at the head of one that is longer than that.
async fn close_at(limit: usize, server: String) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            connections.spawn(pass_one(client, limit, server.clone()));
        }
    });
    (address, serving)
}

/// Passes one request on, and its answer back.
async fn pass_one(client: TcpStream, limit: usize, server: String) -> Option<()> {
    let mut client = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        if client.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    if length > limit {
        return None;
    }
    let mut server = TcpStream::connect(server).await.ok()?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

/// What nginx answers.
fn page(status: StatusCode) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

async fn forward(State(state): State<Arc<FrontState>>, request: Request) -> Response {
    if state.is_down.load(Ordering::SeqCst) {
        return page(StatusCode::BAD_GATEWAY);
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, state.max_body.load(Ordering::SeqCst)).await else {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return page(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let mut headers = head.headers;
    headers.remove(header::HOST);
    let sent = state
        .client
        .request(head.method, format!("{}{}", state.clickhouse, head.uri))
        .headers(headers)
        .body(body);
    let Ok(answer) = sent.send().await else {
        return page(StatusCode::BAD_GATEWAY);
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    (status, headers, Body::from(answer.bytes().await.unwrap())).into_response()
}

/// A role whose log is kept.
struct Role {
    process: Process,
    log: PathBuf,
}

impl Role {
    async fn start(dir: &Path, parts: &Parts, role: &str, variables: &[(&str, &str)]) -> Self {
        let dir = subdirectory(dir, role);
        let log = dir.join("log");
        let variables = [&parts.variables()[..], variables].concat();
        let arguments = [role, "--http-addr", "127.0.0.1:0"];
        let file = std::fs::File::create(&log).unwrap();
        Self {
            process: Process::start_logging(&dir, &arguments, &variables, file.into()).await,
            log,
        }
    }

    /// The lines of its log that hold this.
    fn lines(&self, text: &str) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let lines = log.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }

    /// Waits until there is a line with all of these.
    async fn logs(&self, texts: &[&str]) -> String {
        until(&format!("a line with {texts:?}"), async || {
            let lines = self.lines(texts[0]).into_iter();
            lines
                .into_iter()
                .find(|line| texts.iter().all(|text| line.contains(text)))
        })
        .await
    }

    /// Asks whether it is ready: the status, and what it says.
    async fn readiness(&self) -> (u16, String) {
        let url = format!("{}/readyz", self.process.ready.api_url.as_deref().unwrap());
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until it is ready, or not ready for a reason that holds this.
    async fn is(&self, status: u16, reason: &str) {
        until(&format!("{status} with {reason:?}"), async || {
            let (found, text) = self.readiness().await;
            (found == status && text.contains(reason)).then_some(())
        })
        .await;
    }
}

/// The parts of a system, where the engine has other users too.
async fn parts() -> (TempDir, Parts) {
    let dir = tempdir().unwrap();
    testbed::add_users(&dir.path().join("clickhouse/data/engine"));
    let parts = Parts::start(dir.path()).await;
    (dir, parts)
}

/// A message with a text of this many bytes.
fn message(number: usize, bytes: usize) -> String {
    let event = json!({
        "specversion": "1.0",
        "id": format!("message-{number}"),
        "source": "/test",
        "type": "chat.message.created.v1",
        "time": "2024-05-01T10:30:00Z",
        "org": ORG,
        "data": {
            "message_id": format!("00000000-0000-0000-0001-{number:012}"),
            "conversation_id": format!("00000000-0000-0000-0000-{:012}", number % 50),
            "role": "user",
            "user_id": format!("user-{}", number % 7),
            // No two are alike.
            "content": format!("{number} ").repeat(bytes / 8),
        },
    });
    event.to_string()
}

async fn count(parts: &Parts) -> usize {
    let rows = parts
        .clickhouse
        .sql("SELECT uniqExact(message_id) FROM rollcall.messages")
        .await;
    rows.trim().parse().unwrap()
}

async fn letters(parts: &Parts) -> Vec<Stored> {
    let kafka = parts.kafka.kafka();
    read_all(&kafka, &kafka.dead_letter_topic).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_a_proxy_refuses_for_its_size_is_sent_in_parts() {
    const LIMIT: usize = 200_000;
    let (dir, parts) = parts().await;
    let clickhouse = parts.clickhouse.ready.clickhouse_url.clone().unwrap();
    let front = Front::start(&clickhouse, LIMIT).await;
    let url = [("ROLLCALL__CLICKHOUSE__URL", front.url.as_str())];
    // One of them alone is larger than the proxy takes.
    let messages = (0..2_000).map(|number| message(number, if number == 700 { 4 * LIMIT } else { 1_000 }));
    parts.kafka.publish(messages).await;
    let ingest = Role::start(dir.path(), &parts, "ingest", &url).await;
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 1_999);
    let letters = letters(&parts).await;
    let [letter] = &letters[..] else {
        panic!("{} dead letters", letters.len());
    };
    let headers = letter.headers().unwrap();
    let (_, reason) = headers
        .iter()
        .find(|(name, _)| *name == "rollcall_reason")
        .unwrap();
    let reason = String::from_utf8_lossy(reason.unwrap());
    for named in ["client_max_body_size", "kafka.max_record_bytes", "413"] {
        assert!(reason.contains(named), "{reason}");
    }
    let lines = ingest.lines("is sent in parts");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for named in [
        "client_max_body_size",
        "kafka.batch_bytes",
        "413 Payload Too Large",
    ] {
        assert!(lines[0].contains(named), "{}", lines[0]);
    }
    // What is learned holds: no batch is too large any more.
    let refused = front.state.refused.load(Ordering::SeqCst);
    parts
        .kafka
        .publish((2_000..4_000).map(|number| message(number, 1_000)))
        .await;
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 3_999);
    let again = front.state.refused.load(Ordering::SeqCst) - refused;
    assert!(again <= 2, "{again} more batches were too large");

    front.state.is_down.store(true, Ordering::SeqCst);
    parts.kafka.publish([message(4_000, 10)]).await;
    ingest.logs(&["a batch is not written", "502 Bad Gateway"]).await;
    front.state.is_down.store(false, Ordering::SeqCst);
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 4_000);
    assert!(ingest.lines("html").is_empty(), "{:?}", ingest.lines("html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_for_which_a_proxy_closes_the_connection_is_sent_in_parts() {
    const LIMIT: usize = 200_000;
    let (dir, parts) = parts().await;
    let clickhouse = parts.clickhouse.ready.clickhouse_url.clone().unwrap();
    let server = clickhouse.trim_start_matches("http://").trim_end_matches('/');
    let (address, _proxy) = close_at(LIMIT, server.to_owned()).await;
    let url = format!("http://{address}");
    parts
        .kafka
        .publish((0..2_000).map(|number| message(number, 1_000)))
        .await;
    let ingest = Role::start(
        dir.path(),
        &parts,
        "ingest",
        &[("ROLLCALL__CLICKHOUSE__URL", &url)],
    )
    .await;
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 2_000);
    assert_eq!(letters(&parts).await.len(), 0);
    // What is learned holds.
    let before = ingest.lines("is not written").len();
    parts
        .kafka
        .publish((2_000..4_000).map(|number| message(number, 1_000)))
        .await;
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 4_000);
    let more = ingest.lines("is not written").len() - before;
    assert!(more <= 12, "{more} more attempts in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_refuses_all_stops_ingestion_and_costs_no_record() {
    let (dir, parts) = parts().await;
    let ingest = Role::start(dir.path(), &parts, "ingest", &[]).await;
    parts
        .kafka
        .publish((0..10).map(|number| message(number, 10)))
        .await;
    ingest.process.settled().await;
    ingest.is(200, "").await;

    for statement in [
        "CREATE TABLE rollcall.audit (n UInt8) ENGINE = MergeTree ORDER BY n",
        "CREATE MATERIALIZED VIEW rollcall.audit_view TO rollcall.audit AS \
         SELECT throwIf(content != '') AS n FROM rollcall.messages",
    ] {
        parts.clickhouse.sql(statement).await;
    }
    let records = (10..300).map(|number: usize| Record {
        key: Some(format!("key-{}", number % 4).into_bytes()),
        ..Record::structured(message(number, 10))
    });
    parts.kafka.publish_records(records).await;
    ingest.is(503, "audit_view").await;
    let line = ingest.logs(&["ingestion waits", "audit_view", "by itself"]).await;
    assert!(line.contains("Code: 395"), "{line}");
    assert_eq!(ingest.lines("ingestion waits").len(), 1);
    let waiting = r#"rollcall_waiting{what="clickhouse"}"#;
    assert_eq!(ingest.process.metric(waiting).await, 1);
    assert_eq!(letters(&parts).await.len(), 0);

    parts.clickhouse.sql("DROP VIEW rollcall.audit_view").await;
    ingest.process.settled().await;
    assert_eq!(count(&parts).await, 300);
    assert_eq!(letters(&parts).await.len(), 0);
    assert_eq!(ingest.process.metric(waiting).await, 0);
    ingest.is(200, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_clickhouse_who_may_not_is_named_and_nothing_is_lost() {
    let (dir, parts) = parts().await;
    parts
        .kafka
        .publish((0..20).map(|number| message(number, 10)))
        .await;
    let user = |name| {
        [
            ("ROLLCALL__CLICKHOUSE__USER", name),
            ("ROLLCALL__CLICKHOUSE__PASSWORD", "testbed"),
            ("ROLLCALL__AUTH__KEYS", "k3y=*"),
        ]
    };
    // At the start `ingest` says so, and ends.
    for (name, named) in [("readonly_1", "readonly = 0"), ("stranger", "lacks a right")] {
        let variables = [&parts.variables()[..], &user(name)].concat();
        let ended = run(&["ingest", "--http-addr", "127.0.0.1:0"], &variables).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let mut lines = ended.stderr.lines();
        let line = lines.find(|line| line.starts_with("rollcall: "));
        assert!(line.is_some_and(|line| line.contains(named)), "{ended:?}");
    }
    // What only an insert shows is waited for.
    for (name, named) in [("readonly_2", "readonly = 0"), ("reader", "lacks a right")] {
        let ingest = Role::start(dir.path(), &parts, "ingest", &user(name)).await;
        ingest.is(503, named).await;
        ingest.logs(&["a batch is not written", named]).await;
        ingest.logs(&["not ready: inserts", named]).await;
        assert_eq!(letters(&parts).await.len(), 0);
        assert_eq!(ingest.process.signal("TERM").await.code(), Some(0));
    }
    for (name, named) in [
        ("readonly_1", "readonly = 2"),
        ("stranger", "lacks a right"),
        ("nobody", "clickhouse.password"),
    ] {
        let mut serve = Role::start(dir.path(), &parts, "serve", &user(name)).await;
        serve.process.ready.api_key = Some("k3y".to_owned());
        serve.is(503, named).await;
        serve.logs(&["not ready: clickhouse", named]).await;
        let (status, _) = serve.process.get(ORG, "transcripts/").await;
        assert_eq!(status, 503);
        serve.logs(&["a query of the store failed", named]).await;
    }
    // Who may read is enough for `serve`.
    let ingest = parts.ingest(&[]).await;
    ingest.settled().await;
    let mut serve = Role::start(dir.path(), &parts, "serve", &user("readonly_2")).await;
    serve.process.ready.api_key = Some("k3y".to_owned());
    serve.is(200, "").await;
    assert_eq!(
        serve
            .process
            .ask(ORG, "transcripts/")
            .await
            .as_array()
            .unwrap()
            .len(),
        20
    );
}
