//! Inserts whose data comes in pieces.

use bytes::Bytes;
use embedded::Engine;

use crate::fixture::{engine, eventually, exception, insert, statement, text};

/// A table with a view to a second one, which doubles the numbers.
async fn tables(engine: &Engine, name: &str) {
    for sql in [
        format!("CREATE TABLE {name} (a Int64) ENGINE = MergeTree ORDER BY a"),
        format!("CREATE TABLE {name}_doubled (a Int64) ENGINE = MergeTree ORDER BY a"),
        format!("CREATE MATERIALIZED VIEW {name}_view TO {name}_doubled AS SELECT a * 2 AS a FROM {name}"),
    ] {
        text(engine, &sql).await;
    }
}

async fn counts(engine: &Engine, name: &str) -> String {
    text(
        engine,
        &format!("SELECT (SELECT count() FROM {name}), (SELECT sum(a) FROM {name}_doubled)"),
    )
    .await
}

fn row_binary(count: i64) -> Vec<u8> {
    (0..count).flat_map(i64::to_le_bytes).collect()
}

/// A block of one column `a Int64` in the Native format.
fn native(count: u8) -> Vec<u8> {
    let mut block = vec![1, count];
    block.extend_from_slice(b"\x01a\x05Int64");
    block.extend(row_binary(i64::from(count)));
    block
}

#[tokio::test]
async fn rows_may_be_cut_anywhere_and_reach_the_views() {
    let engine = engine();
    tables(&engine, "cut").await;
    let data = row_binary(1000);
    for size in [1, 7, 1000, 8000] {
        let mut insert = insert(&engine, "INSERT INTO cut (a)", "RowBinary").await;
        for piece in data.chunks(size) {
            insert.append(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        assert_eq!(
            insert.finish().await.unwrap(),
            2000,
            "rows of the table and of its view"
        );
    }
    assert_eq!(counts(&engine, "cut").await, "4000\t3996000\n");
}

#[tokio::test]
async fn an_insert_without_data_writes_nothing() {
    let engine = engine();
    tables(&engine, "nothing").await;
    assert_eq!(
        insert(&engine, "INSERT INTO nothing", "Native")
            .await
            .finish()
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn truncated_data_is_an_exception_and_leaves_no_row() {
    let engine = engine();
    tables(&engine, "truncated").await;
    let blocks = [native(100), native(100)].concat();
    for (format, data) in [("RowBinary", row_binary(100)), ("Native", blocks)] {
        let mut insert = insert(&engine, "INSERT INTO truncated", format).await;
        insert
            .append(Bytes::copy_from_slice(&data[..data.len() - 5]))
            .await
            .unwrap();
        let (code, message) = exception(insert.finish().await);
        assert_eq!(code, 33, "{message}");
    }
    assert_eq!(counts(&engine, "truncated").await, "0\t0\n");
}

#[tokio::test]
async fn data_that_does_not_parse_is_an_exception_and_leaves_no_row() {
    let engine = engine();
    tables(&engine, "wrong").await;
    let mut insert = insert(&engine, "INSERT INTO wrong", "TSV").await;
    let mut result = Ok(());
    for piece in ["1\n2\n", "three\n"]
        .into_iter()
        .chain(std::iter::repeat_n("4\n", 10_000))
    {
        result = insert.append(Bytes::from_static(piece.as_bytes())).await;
        if result.is_err() {
            break;
        }
    }
    let (code, message) = match result {
        Ok(()) => exception(insert.finish().await),
        error => exception(error),
    };
    assert_eq!((code, message.contains("three")), (27, true), "{message}");
    assert_eq!(counts(&engine, "wrong").await, "0\t0\n");
}

#[tokio::test]
async fn a_dropped_insert_leaves_no_row() {
    let engine = engine();
    tables(&engine, "dropped").await;
    let mut insert = insert(&engine, "INSERT INTO dropped", "RowBinary").await;
    for _ in 0..10 {
        insert.append(row_binary(10_000).into()).await.unwrap();
    }
    drop(insert);
    let running = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO dropped%'";
    eventually(&engine, running, "0\n").await;
    assert_eq!(counts(&engine, "dropped").await, "0\t0\n");
}

#[tokio::test]
async fn an_insert_that_cannot_begin_says_why() {
    let engine = engine();
    let error = engine.insert(statement("INSERT INTO nowhere"), "TSV").await;
    assert_eq!(exception(error).0, 60);
    tables(&engine, "begun").await;
    assert_eq!(
        exception(engine.insert(statement("INSERT INTO begun"), "Nonsense").await).0,
        73
    );
}
