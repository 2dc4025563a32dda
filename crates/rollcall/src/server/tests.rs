use std::{io, net::SocketAddr};

use axum::{body::Body, routing::get};
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Requests without a body are answered by `ok`, those for `/endless` without an end.
async fn start(max: usize) -> (SocketAddr, CancellationToken, JoinSet<()>) {
    let endless =
        || async { Body::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(vec![b'x'; 65_536]))) };
    let router = Router::new()
        .route("/", get(|| async { "ok" }))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_millis(300)).await;
                "slow"
            }),
        )
        .route("/endless", get(endless));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let mut server = JoinSet::new();
    server.spawn(serve_at_most(max, listener, router, shutdown.clone()));
    (addr, shutdown, server)
}

async fn sent(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(addr).await.unwrap();
    client.write_all(bytes).await.unwrap();
    client
}

async fn answer(mut client: TcpStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}

const WHOLE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const HALF: &[u8] = b"GET / HTTP/1.1\r\nhost";

#[tokio::test]
async fn what_cannot_be_read_as_a_request_is_answered_with_a_detail() {
    let (addr, _shutdown, _server) = start(8).await;
    let long = format!("GET /?{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(200));
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(600_000));
    for (request, status, detail) in [
        (long.as_str(), "414 URI Too Long", "the address is too long"),
        (
            &many,
            "431 Request Header Fields Too Large",
            "the headers are too large",
        ),
        (
            &large,
            "431 Request Header Fields Too Large",
            "the headers are too large",
        ),
        (
            "GET / nonsense\r\n\r\n",
            "400 Bad Request",
            "the request cannot be read as HTTP",
        ),
    ] {
        let mut client = TcpStream::connect(addr).await.unwrap();
        // The answer comes before all of a large request is read.
        client.write_all(request.as_bytes()).await.ok();
        let answer = answer(client).await;
        let body = format!("{{\"detail\":\"{detail}\"}}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
        assert!(
            answer.contains(&format!("content-length: {}\r\n", body.len())),
            "{answer}"
        );
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
    assert!(answer(sent(addr, WHOLE).await).await.ends_with("\r\n\r\nok"));
}

#[tokio::test]
async fn at_shutdown_requests_that_have_begun_are_finished_and_others_dropped_at_once() {
    let (addr, shutdown, mut server) = start(8).await;
    let (half, silent) = (sent(addr, HALF).await, sent(addr, b"").await);
    let mut idle = sent(addr, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    let begun = sent(addr, b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    shutdown.cancel();
    assert_eq!(answer(half).await, "");
    assert_eq!(answer(silent).await, "");
    answer(idle).await;
    assert!(
        asked.elapsed() < Duration::from_millis(150),
        "{:?}",
        asked.elapsed()
    );
    assert!(answer(begun).await.ends_with("\r\n\r\nslow"));
    server.join_next().await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn one_who_stops_reading_does_not_hold_up_the_shutdown() {
    let (addr, shutdown, mut server) = start(8).await;
    let _client = sent(addr, b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    shutdown.cancel();
    server.join_next().await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

/// Time passes at once while nothing but a timer is waited for.
#[tokio::test(start_paused = true)]
async fn connections_that_do_nothing_give_their_places_back() {
    let idle = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let stopped = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    for (bytes, limit, received) in [
        (HALF, HEAD_TIMEOUT, ""),
        (idle, IDLE_TIMEOUT, "HTTP/1.1 200 OK"),
        (stopped, socket::WRITE_TIMEOUT, "HTTP/1.1 200 OK"),
    ] {
        let (addr, _shutdown, _server) = start(1).await;
        let began = Instant::now();
        let silent = sent(addr, bytes).await;
        let waiting = sent(addr, WHOLE).await;
        assert!(answer(waiting).await.ends_with("\r\n\r\nok"));
        let after = began.elapsed();
        assert!(
            after >= limit && after < limit + Duration::from_secs(1),
            "{after:?}"
        );
        assert!(answer(silent).await.starts_with(received));
    }
}
