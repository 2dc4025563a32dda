//! The `clickhouse` crate, unchanged.

use clickhouse::{Compression, Row, error::Error};
use serde::{Deserialize, Serialize};

use crate::support::Server;

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Event {
    id: u64,
    name: String,
    score: Option<i32>,
    tags: Vec<String>,
}

fn events(count: u64) -> Vec<Event> {
    (0..count)
        .map(|id| Event {
            id,
            name: format!("é {id}\n\t'\\"),
            score: i32::try_from(id).ok().filter(|score| score % 3 != 0),
            tags: vec![format!("a{id}"), String::new()],
        })
        .collect()
}

async fn server_with_table() -> Server {
    let server = Server::start().await;
    let create = "CREATE TABLE events (id UInt64, name String, score Nullable(Int32), tags Array(String)) \
                  ENGINE = MergeTree ORDER BY id";
    server.client().query(create).execute().await.unwrap();
    server
}

#[tokio::test]
async fn rows_that_the_client_inserts_come_back_typed() {
    let server = server_with_table().await;
    for (number, compression) in [Compression::None, Compression::Lz4].into_iter().enumerate() {
        let client = server.client().with_compression(compression);
        let mut insert = client.insert::<Event>("events").await.unwrap();
        for event in &events(1_000) {
            insert.write(event).await.unwrap();
        }
        insert.end().await.unwrap();
        let back: Vec<Event> = client
            .query("SELECT ?fields FROM events WHERE id >= ? ORDER BY id LIMIT 1 BY id")
            .bind(0)
            .fetch_all()
            .await
            .unwrap();
        assert!(back == events(1_000));
        let count: u64 = client
            .query("SELECT count() FROM events")
            .fetch_one()
            .await
            .unwrap();
        assert_eq!(count, 1_000 * (u64::try_from(number).unwrap() + 1));
    }
}

#[tokio::test]
async fn formatted_inserts_take_native_and_json() {
    let server = server_with_table().await;
    let client = server.client();
    let source =
        "SELECT number AS id, toString(number) AS name, NULL AS score, ['t'] AS tags FROM numbers(70000)";
    let mut native = client.query(source).fetch_bytes("Native").unwrap();
    let native = native.collect().await.unwrap();

    let mut insert = client.insert_formatted_with("INSERT INTO events (id, name, score, tags) FORMAT Native");
    for piece in native.chunks(100_003) {
        insert.send(piece.to_vec().into()).await.unwrap();
    }
    insert.end().await.unwrap();
    assert_eq!(
        server
            .value("SELECT count(), sum(id), uniqExact(name) FROM events")
            .await,
        "70000\t2449965000\t70000"
    );

    let mut insert = client.insert_formatted_with("INSERT INTO events FORMAT JSONEachRow");
    insert
        .send("{\"id\": 100000, \"name\": \"j".into())
        .await
        .unwrap();
    insert.send("son\"}\n{\"id\": 100001}\n".into()).await.unwrap();
    insert.end().await.unwrap();
    assert_eq!(
        server
            .value("SELECT groupArray(name) FROM (SELECT name FROM events WHERE id >= 100000 ORDER BY id)")
            .await,
        "['json','']"
    );
}

#[tokio::test]
async fn settings_and_parameters_reach_their_statement_and_no_other() {
    let server = Server::start().await;
    let client = server.client();
    let get = "SELECT toString(getSetting('max_execution_time'))";
    let own: String = client
        .query(get)
        .with_setting("max_execution_time", "17")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(own, "17");
    for _ in 0..20 {
        let other: String = client.query(get).fetch_one().await.unwrap();
        assert_eq!(other, "0");
    }
    let (number, text): (i64, String) = client
        .query("SELECT {number: Int64}, {text: String}")
        .param("number", -5)
        .param("text", "it's\n\t\\ é")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!((number, text.as_str()), (-5, "it's\n\t\\ é"));
}

#[tokio::test]
async fn a_million_rows_stream() {
    let server = Server::start().await;
    let mut cursor = server
        .client()
        .query("SELECT number, toString(number) FROM numbers(1000000)")
        .fetch::<(u64, String)>()
        .unwrap();
    let mut expected = 0;
    while let Some((number, text)) = cursor.next().await.unwrap() {
        assert_eq!((number, text.parse().unwrap()), (expected, expected));
        expected += 1;
    }
    assert_eq!(expected, 1_000_000);
}

#[tokio::test]
async fn an_error_reaches_the_client_with_its_code() {
    let server = Server::start().await;
    for (sql, code) in [
        ("SELECT * FROM nowhere", "Code: 60."),
        ("SELEC 1", "Code: 62."),
        ("SELECT nothing", "Code: 47."),
        ("SELECT 1 SETTINGS no_such_setting = 1", "Code: 115."),
    ] {
        let error = server.client().query(sql).execute().await.unwrap_err();
        assert!(
            matches!(&error, Error::BadResponse(text) if text.starts_with(code)),
            "{error}"
        );
    }
    let error = server
        .client()
        .with_database("no_such")
        .query("SELECT 1")
        .execute()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::BadResponse(text) if text.starts_with("Code: 81.")),
        "{error}"
    );
}

#[tokio::test]
async fn an_error_within_a_stream_is_an_error_and_no_short_answer() {
    let server = Server::start().await;
    for compression in [Compression::None, Compression::Lz4] {
        let client = server.client().with_compression(compression);
        let mut cursor = client
            .query("SELECT throwIf(number = 3000000) FROM numbers(10000000)")
            .fetch::<u8>()
            .unwrap();
        let mut rows = 0_u32;
        let error = loop {
            match cursor.next().await {
                Ok(Some(_)) => rows += 1,
                Ok(None) => panic!("a short answer of {rows} rows"),
                Err(error) => break error,
            }
        };
        assert!(rows > 0, "the error came before the stream: {error}");
        assert!(
            matches!(&error, Error::BadResponse(text) if text.starts_with("Code: 395.")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_insert_whose_data_is_wrong_fails_with_the_engines_reason_and_leaves_no_row() {
    let server = server_with_table().await;
    let mut insert = server
        .client()
        .insert_formatted_with("INSERT INTO events FORMAT JSONEachRow");
    insert.send("{\"id\": 1}\n".into()).await.unwrap();
    insert.send("{\"id\": \"no number\"}\n".into()).await.unwrap();
    let error = insert.end().await.unwrap_err();
    assert!(
        matches!(&error, Error::BadResponse(text) if text.starts_with("Code: ")),
        "{error}"
    );
    let mut insert = server
        .client()
        .insert_formatted_with("INSERT INTO nowhere FORMAT JSONEachRow");
    insert.send("{\"id\": 1}\n".into()).await.unwrap();
    let error = insert.end().await.unwrap_err();
    assert!(
        matches!(&error, Error::BadResponse(text) if text.starts_with("Code: 60.")),
        "{error}"
    );
    assert_eq!(server.value("SELECT count() FROM events").await, "0");
}
