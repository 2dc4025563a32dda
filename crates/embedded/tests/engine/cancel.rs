//! What is dropped ends.

use std::time::{Duration, Instant};

use crate::fixture::{engine, eventually, statement};

const RUNNING: &str =
    "SELECT count() FROM system.processes WHERE query LIKE '%' || 'MARK' || '%' AND query NOT LIKE '%||%'";

fn running(mark: &str) -> String {
    RUNNING.replace("MARK", mark)
}

#[tokio::test]
async fn dropped_rows_cancel_their_query() {
    let engine = engine();
    let sql = "SELECT number, 'dropped_rows' FROM system.numbers";
    let mut rows = engine.run(statement(sql)).await.unwrap();
    rows.next().await.unwrap().unwrap();
    eventually(&engine, &running("dropped_rows"), "1\n").await;
    drop(rows);
    eventually(&engine, &running("dropped_rows"), "0\n").await;
}

#[tokio::test]
async fn a_dropped_run_cancels_a_query_that_has_given_nothing_yet() {
    let engine = engine();
    let sql = "SELECT count(), 'dropped_run' FROM system.numbers WHERE sipHash64(number) = 1";
    let mark = running("dropped_run");
    let mut run = Box::pin(engine.run(statement(sql)));
    tokio::select! {
        _ = &mut run => panic!("it cannot end"),
        () = eventually(&engine, &mark, "1\n") => {}
    }
    drop(run);
    eventually(&engine, &running("dropped_run"), "0\n").await;
}

#[tokio::test]
async fn a_dropped_run_cancels_what_is_no_select() {
    let engine = engine();
    crate::fixture::text(&engine, "CREATE TABLE sink (a UInt64) ENGINE = Null").await;
    let sql = "INSERT INTO sink SELECT number AS dropped_insert FROM system.numbers";
    let mark = running("dropped_insert");
    let mut run = Box::pin(engine.run(statement(sql)));
    tokio::select! {
        _ = &mut run => panic!("it cannot end"),
        () = eventually(&engine, &mark, "1\n") => {}
    }
    drop(run);
    eventually(&engine, &running("dropped_insert"), "0\n").await;
}

#[tokio::test]
async fn a_run_that_is_dropped_at_once_leaves_nothing_running() {
    let engine = engine();
    let sql = "SELECT count(), 'at_once' FROM system.numbers WHERE sipHash64(number) = 1";
    let start = Instant::now();
    for wait in 0..40 {
        let limit = Duration::from_micros(100 * wait);
        tokio::time::timeout(limit, engine.run(statement(sql)))
            .await
            .unwrap_err();
    }
    eventually(&engine, &running("at_once"), "0\n").await;
    assert!(start.elapsed() < Duration::from_secs(20));
}
