//! The interface as it stands on the wire: curl and whatever else speaks HTTP.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use crate::support::{Answer, Server};

async fn server_with_table() -> Server {
    let server = Server::start().await;
    server
        .post(
            "",
            "CREATE TABLE t (a UInt32, b String) ENGINE = MergeTree ORDER BY a",
        )
        .await
        .ok();
    server
}

async fn rows(server: &Server) -> String {
    server
        .value("SELECT groupArray((a, b)) FROM (SELECT * FROM t ORDER BY a)")
        .await
}

#[tokio::test]
async fn a_server_that_is_well_says_so() {
    let server = Server::start().await;
    let client = reqwest::Client::new();
    for path in ["/ping", "/", "/replicas_status"] {
        let answer = Answer::of(client.get(server.http.url() + path)).await;
        assert_eq!(answer.ok(), "Ok.\n", "{path}");
    }
    let head = Answer::of(client.head(server.http.url() + "/ping")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let other = Answer::of(client.get(server.http.url() + "/nowhere")).await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn a_query_stands_in_the_url_in_the_body_or_in_both() {
    let server = Server::start().await;
    assert_eq!(server.get("query=SELECT%201%2B1").await.ok(), "2\n");
    assert_eq!(server.post("", "SELECT 1+1").await.ok(), "2\n");
    assert_eq!(server.post("query=SELECT+1", "+1").await.ok(), "2\n");
    let form = "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {x:String}\r\n\
                --b\r\nContent-Disposition: form-data; name=\"param_x\"\r\n\r\nfrom a form\r\n--b--\r\n";
    let request = reqwest::Client::new()
        .post(server.url(""))
        .header("Content-Type", "multipart/form-data; boundary=b")
        .body(form);
    assert_eq!(Answer::of(request).await.ok(), "from a form\n");
}

#[tokio::test]
async fn a_field_of_a_form_is_no_longer_than_a_server_takes() {
    let server = Server::start().await;
    for (length, answered) in [(131_072, None), (131_073, Some((500, 1000)))] {
        let query = " ".repeat(length - 8) + "SELECT 1";
        let form =
            format!("--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n{query}\r\n--b--\r\n");
        let request = reqwest::Client::new()
            .post(server.url(""))
            .header("Content-Type", "multipart/form-data; boundary=b")
            .body(form);
        let answer = Answer::of(request).await;
        assert_eq!(
            (answer.status != 200).then(|| answer.exception()),
            answered,
            "{length} bytes"
        );
    }
}

#[tokio::test]
async fn the_answer_tells_its_format_and_its_query() {
    let server = Server::start().await;
    for (parameters, sql, format, content_type, body) in [
        (
            "",
            "SELECT 1 AS a",
            "TabSeparated",
            "text/tab-separated-values; charset=UTF-8",
            "1\n",
        ),
        (
            "default_format=CSV",
            "SELECT 'a'",
            "CSV",
            "text/csv; charset=UTF-8; header=absent",
            "\"a\"\n",
        ),
        (
            "default_format=CSV",
            "SELECT 1 AS a FORMAT JSONEachRow",
            "JSONEachRow",
            "application/x-ndjson; charset=UTF-8",
            "{\"a\":1}\n",
        ),
        (
            "",
            "SELECT toUInt8(7) FORMAT RowBinary",
            "RowBinary",
            "application/octet-stream",
            "\u{7}",
        ),
    ] {
        let answer = server.post(&format!("query_id=mine&{parameters}"), sql).await;
        assert_eq!(answer.header("x-clickhouse-format"), format);
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.header("x-clickhouse-query-id"), "mine");
        assert_eq!(answer.header("x-clickhouse-timezone"), "UTC");
        assert_eq!(answer.ok(), body);
    }
    let json = server.post("", "SELECT 1 AS a FORMAT JSON").await;
    assert_eq!(json.header("content-type"), "application/json; charset=UTF-8");
    assert_eq!(json.header("x-clickhouse-query-id").len(), 36);
    assert!(json.ok().contains("\"rows\": 1"));
}

#[tokio::test]
async fn headers_name_the_database_and_the_format() {
    let server = server_with_table().await;
    let request = reqwest::Client::new()
        .post(server.http.url())
        .header("X-ClickHouse-Database", &server.database)
        .header("X-ClickHouse-Format", "CSV")
        .header("X-ClickHouse-User", "anyone")
        .header("X-ClickHouse-Key", "anything")
        .body("SELECT currentDatabase(), count() FROM t");
    assert_eq!(
        Answer::of(request).await.ok(),
        format!("\"{}\",0\n", server.database)
    );
}

#[tokio::test]
async fn data_follows_the_insert_in_the_body_or_stands_in_it() {
    let server = server_with_table().await;
    let inline = server
        .post("", "INSERT INTO t VALUES (1, 'a'), (2, 'FORMAT')")
        .await;
    assert_eq!(inline.status, 200, "{}", inline.text());
    let answer = server
        .post("", "INSERT INTO t (a, b) FORMAT CSV\n3,c\n4,d\n")
        .await;
    assert!(
        answer
            .header("x-clickhouse-summary")
            .contains("\"written_rows\":\"2\""),
        "{answer:?}"
    );
    assert_eq!(answer.ok(), "");
    server
        .post("query=INSERT%20INTO%20t%20FORMAT%20TabSeparated", "5\te\n")
        .await
        .ok();
    server
        .post(
            "query=INSERT%20INTO%20t%20FORMAT%20RowBinary",
            &b"\x06\0\0\0\x01f"[..],
        )
        .await
        .ok();
    server
        .post("query=INSERT%20INTO%20t%20VALUES", "(7, 'g')")
        .await
        .ok();
    server.post("", "INSERT INTO t FORMAT Values (8, 'h')").await.ok();
    server
        .post(
            "",
            "INSERT INTO t SETTINGS max_threads = 1 FORMAT JSONEachRow {\"a\": 9, \"b\": \"i\"}",
        )
        .await
        .ok();
    server
        .post("", "INSERT INTO t FORMAT TSV SETTINGS max_threads = 1\n10\tj\n")
        .await
        .ok();
    server
        .post("", "INSERT INTO t SELECT a + 10, upper(b) FROM t WHERE a = 1")
        .await
        .ok();
    server
        .post(
            "",
            &b"INSERT INTO FUNCTION null('x UInt8') FORMAT RowBinary\n\xff"[..],
        )
        .await
        .ok();
    assert_eq!(
        rows(&server).await,
        "[(1,'a'),(2,'FORMAT'),(3,'c'),(4,'d'),(5,'e'),(6,'f'),(7,'g'),(8,'h'),(9,'i'),(10,'j'),(11,'A')]"
    );
}

#[tokio::test]
async fn a_body_packed_by_gzip_is_unpacked() {
    let server = server_with_table().await;
    let mut data = GzEncoder::new(Vec::new(), Compression::default());
    for row in 0..200_000 {
        writeln!(data, "{row}\trow {row}").unwrap();
    }
    let data = data.finish().unwrap();
    let insert = |body: Vec<u8>| {
        let request = reqwest::Client::new()
            .post(server.url("query=INSERT+INTO+t+FORMAT+TSV"))
            .header("Content-Encoding", "gzip")
            .body(body);
        Answer::of(request)
    };
    let cut = insert(data[..data.len() - 100].to_vec()).await;
    assert_eq!(cut.exception().1, 354);
    assert_eq!(server.value("SELECT count() FROM t").await, "0");
    insert(data).await.ok();
    assert_eq!(
        server.value("SELECT count(), sum(a) FROM t").await,
        "200000\t19999900000"
    );
}

#[tokio::test]
async fn results_are_packed_in_clickhouses_frames_where_asked() {
    let server = Server::start().await;
    let packed = server
        .post("compress=1", "SELECT number FROM numbers(300000) FORMAT TSV")
        .await;
    let mut rest = &packed.body[..];
    let mut text = Vec::new();
    while !rest.is_empty() {
        let size =
            |at: usize| usize::try_from(u32::from_le_bytes(rest[at..at + 4].try_into().unwrap())).unwrap();
        let end = 16 + size(17);
        assert_eq!(rest[16], 0x82);
        text.extend(lz4_flex::block::decompress(&rest[25..end], size(21)).unwrap());
        rest = &rest[end..];
    }
    let plain = server
        .post("", "SELECT number FROM numbers(300000) FORMAT TSV")
        .await;
    assert!(text == plain.body);
    assert!(packed.body.len() < plain.body.len());
}

#[tokio::test]
async fn a_result_of_many_blocks_is_one_document() {
    let server = Server::start().await;
    for (format, head) in [
        ("CSVWithNames", "\"n\"\n"),
        ("TSVWithNamesAndTypes", "n\nUInt64\n"),
        ("JSONCompactEachRowWithNames", "[\"n\"]\n"),
        ("RowBinaryWithNames", "\u{1}\u{1}n"),
    ] {
        let rows = "SELECT number AS n FROM numbers(200000) FORMAT ";
        let plain = format.split("With").next().unwrap();
        let plain = server.post("", format!("{rows}{plain}")).await;
        let named = server.post("", format!("{rows}{format}")).await;
        assert!(named.body == [head.as_bytes(), &plain.body].concat(), "{format}");
    }
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let server = server_with_table().await;
    for sql in [
        "DROP+TABLE+t",
        "INSERT+INTO+t+FORMAT+CSV+1,a",
        "INSERT+INTO+t+VALUES+(1,'a')",
    ] {
        let answer = server.get(&format!("query={sql}")).await;
        assert_eq!(answer.exception().1, 164, "{sql}");
    }
    assert_eq!(
        server.get("query=SELECT+count()+FROM+t&max_threads=1").await.ok(),
        "0\n"
    );
}
