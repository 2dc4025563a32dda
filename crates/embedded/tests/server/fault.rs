//! What clients get wrong.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Answer, Server, until};

async fn server_with_table() -> Server {
    let server = Server::start().await;
    server
        .post("", "CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
        .await
        .ok();
    server
}

#[tokio::test]
async fn an_exception_has_its_status_and_its_code() {
    let server = server_with_table().await;
    for (parameters, body, expected) in [
        ("", "SELECT * FROM nowhere", (404, 60)),
        ("", "SELEC 1", (400, 62)),
        ("", "", (400, 62)),
        ("no_such_setting=1", "SELECT 1", (404, 115)),
        (
            "max_execution_time=0.1",
            "SELECT sleepEachRow(0.3) FROM numbers(5)",
            (408, 159),
        ),
        ("", "SELECT throwIf(number = 10) FROM numbers(100)", (500, 395)),
        (
            "wait_end_of_query=1",
            "SELECT throwIf(number = 3000000) FROM numbers(10000000)",
            (500, 395),
        ),
        ("query=%zz", "", (400, 36)),
        ("session_check=1", "SELECT 1", (500, 372)),
    ] {
        let answer = server.post(parameters, body).await;
        assert_eq!(answer.exception(), expected, "{parameters} {body}");
        assert_eq!(answer.header("x-clickhouse-exception-tag").len(), 16);
    }
    let answer = server.post("", &b"SELECT '\xff'"[..]).await;
    assert_eq!(answer.exception(), (400, 36));
}

#[tokio::test]
async fn frames_that_are_wrong_insert_nothing() {
    let server = server_with_table().await;
    let frame = |method: u8, size: u32| {
        let mut frame = vec![0; 16];
        frame.push(method);
        frame.extend(size.to_le_bytes());
        frame.extend(4_u32.to_le_bytes());
        frame.extend(b"1\n2\n");
        frame
    };
    for (frame, code) in [
        (frame(0x02, 13), 40),
        (frame(0x90, 13), 432),
        (frame(0x82, u32::MAX), 39),
        (frame(0x02, 100), 33),
        (frame(0x82, 1), 271),
        (b"1\n2\n".to_vec(), 33),
    ] {
        let answer = server
            .post("decompress=1&query=INSERT+INTO+t+FORMAT+TSV", frame)
            .await;
        assert_eq!(answer.exception().1, code);
    }
    assert_eq!(server.value("SELECT count() FROM t").await, "0");
}

#[tokio::test]
async fn what_the_engine_would_get_wrong_is_refused() {
    let server = server_with_table().await;
    for sql in [
        "SELECT number FROM numbers(200000) FORMAT JSON",
        "SELECT number FROM numbers(200000) FORMAT Parquet",
        "INSERT INTO t SELECT a FROM input('a UInt32') FORMAT TSV\n1\n",
    ] {
        assert_eq!(server.post("", sql).await.exception(), (501, 48), "{sql}");
    }
}

#[tokio::test]
async fn a_statement_that_is_too_long_is_refused() {
    let server = server_with_table().await;
    let long = "SELECT 1 ".to_owned() + &" ".repeat(65 * 1024 * 1024);
    assert_eq!(server.post("", long).await.exception(), (413, 229));
}

#[tokio::test]
async fn an_encoding_that_is_not_known_is_refused() {
    let server = server_with_table().await;
    let request = reqwest::Client::new()
        .post(server.url("query=INSERT+INTO+t+FORMAT+TSV"))
        .header("Content-Encoding", "br")
        .body("1\n");
    assert_eq!(Answer::of(request).await.exception(), (501, 48));
}

#[tokio::test]
async fn a_client_that_goes_away_within_an_insert_leaves_no_row() {
    let server = server_with_table().await;
    let running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO t %' \
                   AND current_database = currentDatabase()";
    for head in [
        "Transfer-Encoding: chunked\r\n\r\n6\r\n1\n2\n3\n\r\n",
        "Content-Length: 1000\r\n\r\n1\n2\n3\n",
    ] {
        for half in [false, true] {
            let mut stream = TcpStream::connect(server.http.addr()).await.unwrap();
            let request = format!(
                "POST /?database={}&query=INSERT+INTO+t+FORMAT+TSV HTTP/1.1\r\nHost: h\r\n{head}",
                server.database
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            until("the insert runs", || async { server.value(running).await == "1" }).await;
            if half {
                // It still listens, so that the server could answer.
                stream.shutdown().await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
            }
            drop(stream);
            until("the insert ends", || async { server.value(running).await == "0" }).await;
        }
    }
    server.post("", "INSERT INTO t FORMAT TSV\n7\n").await.ok();
    assert_eq!(server.value("SELECT groupArray(a) FROM t").await, "[7]");
}

#[tokio::test]
async fn a_client_that_goes_away_within_a_query_ends_it() {
    let server = server_with_table().await;
    let mut stream = TcpStream::connect(server.http.addr()).await.unwrap();
    let marked =
        "SELECT count() FROM system.processes WHERE query LIKE '%endless%' AND query NOT LIKE '%processes%'";
    let request = "GET /?max_block_size=1&query=SELECT+'endless',sleepEachRow(0.1)+FROM+system.numbers HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    until("the query runs", || async { server.value(marked).await == "1" }).await;
    drop(stream);
    until("the query ends", || async { server.value(marked).await == "0" }).await;
}

#[tokio::test]
async fn an_exception_within_a_stream_breaks_the_connection_behind_its_block() {
    let server = server_with_table().await;
    let mut stream = TcpStream::connect(server.http.addr()).await.unwrap();
    let sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000) FORMAT TSV";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let tag = answer
        .split("x-clickhouse-exception-tag: ")
        .nth(1)
        .unwrap()
        .get(..16)
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    let tail = answer.get(answer.len() - 1000..).unwrap();
    assert!(
        tail.contains(&format!(
            "\r\n__exception__\r\n{tag}\r\nCode: 395. DB::Exception: "
        )),
        "{tail}"
    );
    // No last chunk: a client that knows nothing of the block sees that the answer is cut.
    assert!(
        tail.ends_with(&format!(" {tag}\r\n__exception__\r\n\r\n")),
        "{tail}"
    );
}
