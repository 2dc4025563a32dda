//! Statements and what they give.

use std::fs;

use embedded::engine::Statement;

use crate::fixture::{engine, exception, map, statement, text, try_text, with_settings};

#[tokio::test]
async fn a_select_gives_its_rows() {
    assert_eq!(
        text(&engine(), "SELECT number, 'a' FROM numbers(3)").await,
        "0\ta\n1\ta\n2\ta\n"
    );
}

#[tokio::test]
async fn the_format_of_the_statement_wins_over_the_default() {
    let engine = engine();
    let json = Statement {
        format: "JSONEachRow".to_owned(),
        ..statement("SELECT 1 AS x")
    };
    assert_eq!(try_text(&engine, json.clone()).await.unwrap(), "{\"x\":1}\n");
    let csv = Statement {
        sql: "SELECT 1 AS x FORMAT CSVWithNames".to_owned(),
        ..json
    };
    assert_eq!(try_text(&engine, csv).await.unwrap(), "\"x\"\n1\n");
}

#[tokio::test]
async fn statements_that_are_no_select_run_too() {
    let engine = engine();
    for (sql, expected) in [
        ("CREATE TABLE kinds (a Int64) ENGINE = MergeTree ORDER BY a", ""),
        ("INSERT INTO kinds SELECT number FROM numbers(3)", ""),
        ("INSERT INTO kinds VALUES (3), (4)", ""),
        ("INSERT INTO kinds FORMAT TSV 5\n6\n", ""),
        ("  insert into kinds (a) format JSONEachRow {\"a\": 7}", ""),
        ("EXISTS TABLE kinds", "1\n"),
        ("SHOW TABLES LIKE 'kinds'", "kinds\n"),
        ("DESCRIBE kinds", "a\tInt64\t\t\t\t\t\n"),
        ("EXPLAIN SYNTAX SELECT 1", "SELECT 1\nFROM system.one\n"),
        ("OPTIMIZE TABLE kinds FINAL", ""),
        ("WITH 1 AS one SELECT count() + one - 1 FROM kinds", "8\n"),
        ("-- a comment\n(SELECT sum(a) FROM kinds)", "28\n"),
        ("SELECT 1 UNION ALL SELECT 1", "1\n1\n"),
        (
            "ALTER TABLE kinds DELETE WHERE a > 100 SETTINGS mutations_sync = 1",
            "",
        ),
        ("TRUNCATE TABLE kinds", ""),
        ("SELECT a FROM kinds", ""),
        ("DROP TABLE kinds", ""),
    ] {
        assert_eq!(text(&engine, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn rows_after_blocks_that_are_filtered_away_are_not_lost() {
    let sql = "SELECT number FROM numbers(20000000) WHERE number IN (3, 19999999) SETTINGS max_threads = 1";
    assert_eq!(text(&engine(), sql).await, "3\n19999999\n");
}

#[tokio::test]
async fn parameters_are_values_and_never_sql() {
    let sql = "SELECT {text:String}, {number:UInt64} + 1, length({list:Array(String)})";
    let parameters = map(&[("text", "it's {x} \\t"), ("number", "41"), ("list", "['a','b']")]);
    let statement = Statement {
        parameters,
        ..statement(sql)
    };
    assert_eq!(
        try_text(&engine(), statement).await.unwrap(),
        "it\\'s {x} \\t\t42\t2\n"
    );
}

#[tokio::test]
async fn exceptions_have_their_code_and_text() {
    let engine = engine();
    for (sql, code, part) in [
        ("SELECT * FROM nowhere", 60, "nowhere"),
        ("SELECT (", 62, "Syntax error"),
        ("SELECT 1; SELECT 2", 62, "Multi-statements"),
        (
            "CREATE TABLE a (x Int8) ENGINE = Memory; DROP TABLE a",
            62,
            "Multi-statements",
        ),
        ("SELECT throwIf(1, 'thrown on purpose')", 395, "thrown on purpose"),
        ("DROP TABLE nowhere", 60, "nowhere"),
        ("SELECT 1 FORMAT Nonsense", 73, "Nonsense"),
        ("SELECT {missing:String}", 456, "missing"),
        ("", 62, "Empty query"),
    ] {
        let (found, message) = exception(try_text(&engine, statement(sql)).await);
        assert_eq!(found, code, "{sql}: {message}");
        assert!(message.contains(part), "{sql}: {message}");
    }
}

#[tokio::test]
async fn settings_that_are_unknown_or_wrong_are_exceptions() {
    let engine = engine();
    let (code, message) = exception(try_text(&engine, with_settings("SELECT 1", &[("no_such", "1")])).await);
    assert_eq!((code, message.contains("no_such")), (115, true), "{message}");
    let wrong = with_settings("SELECT 1", &[("max_threads", "many")]);
    let (code, message) = exception(try_text(&engine, wrong).await);
    assert!(matches!(code, 6 | 27 | 72), "{message}");
    let nowhere = Statement {
        database: "nowhere".to_owned(),
        ..statement("SELECT 1")
    };
    assert_eq!(exception(try_text(&engine, nowhere).await).0, 81);
}

#[tokio::test]
async fn an_error_after_the_first_rows_comes_after_them() {
    let engine = engine();
    let sql = "SELECT throwIf(number = 5000000, 'late') FROM numbers(10000000) SETTINGS max_threads = 1";
    let mut rows = engine.run(statement(sql)).await.unwrap();
    let mut chunks = 0;
    let (code, _) = loop {
        match rows.next().await {
            Ok(Some(_)) => chunks += 1,
            Ok(None) => panic!("no error"),
            error => break exception(error),
        }
    };
    assert!(chunks > 1);
    assert_eq!(code, 395);
    assert!(rows.next().await.unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_result_streams_in_bounded_memory() {
    let engine = engine();
    let mut rows = engine
        .run(statement("SELECT number FROM numbers(100000000)"))
        .await
        .unwrap();
    let (mut bytes, mut last, mut before, mut most) = (0, None, 0, 0);
    while let Some(chunk) = rows.next().await.unwrap() {
        if bytes == 0 {
            before = resident_mb();
        }
        bytes += chunk.len();
        most = most.max(resident_mb());
        last = Some(chunk);
    }
    assert_eq!(bytes, 888_888_890);
    assert!(last.unwrap().ends_with(b"\n99999999\n"));
    assert!(most < before + 300, "from {before} MB to {most} MB");
}

/// Memory of this process that is in use, in MB.
fn resident_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
