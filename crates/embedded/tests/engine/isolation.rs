//! Nothing of one statement reaches another, and sixteen run at once.

use std::time::Duration;

use embedded::{Engine, engine::Statement};
use futures::future::join_all;

use crate::fixture::{engine, exception, statement, text, try_text, with_settings};

#[tokio::test]
async fn settings_hold_for_their_statement_alone() {
    let engine = engine();
    let sql = "SELECT getSetting('max_block_size'), getSetting('log_comment') LIKE 'mine %'";
    let set = with_settings(sql, &[("max_block_size", "7"), ("log_comment", "mine")]);
    assert_eq!(try_text(&engine, set).await.unwrap(), "7\t1\n");
    for _ in 0..40 {
        assert_eq!(text(&engine, sql).await, "65409\t0\n");
    }
}

#[tokio::test]
async fn a_set_or_a_use_ends_with_its_statement() {
    let engine = engine();
    text(&engine, "CREATE DATABASE elsewhere").await;
    text(&engine, "SET max_block_size = 9").await;
    text(&engine, "USE elsewhere").await;
    for _ in 0..40 {
        let sql = "SELECT getSetting('max_block_size'), currentDatabase()";
        assert_eq!(text(&engine, sql).await, "65409\tdefault\n");
    }
}

#[tokio::test]
async fn the_database_holds_for_its_statement_alone() {
    let engine = engine();
    text(&engine, "CREATE DATABASE `odd ``name\\\\`").await;
    let there = |sql: &str| Statement {
        database: "odd `name\\".to_owned(),
        ..statement(sql)
    };
    try_text(
        &engine,
        there("CREATE TABLE own (a Int8) ENGINE = MergeTree ORDER BY a"),
    )
    .await
    .unwrap();
    let mut insert = engine.insert(there("INSERT INTO own"), "TSV").await.unwrap();
    insert.append("1\n".into()).await.unwrap();
    insert.finish().await.unwrap();
    assert_eq!(
        try_text(&engine, there("SELECT a FROM own")).await.unwrap(),
        "1\n"
    );
    assert_eq!(
        exception(try_text(&engine, statement("SELECT a FROM own")).await).0,
        60
    );
}

#[tokio::test]
async fn a_temporary_table_is_gone_with_its_statement() {
    let engine = engine();
    text(&engine, "CREATE TEMPORARY TABLE passing (a Int8)").await;
    for _ in 0..40 {
        assert_eq!(
            exception(try_text(&engine, statement("SELECT a FROM passing")).await).0,
            60
        );
    }
}

#[tokio::test]
async fn sixteen_statements_run_at_once_and_the_next_waits() {
    let engine = engine();
    // Each is held until sixteen have begun: more than the channel takes is asked for, and nothing is read.
    let mut held = Vec::new();
    while held.len() < Engine::STATEMENTS - 4 {
        held.push(
            engine
                .run(statement("SELECT number FROM system.numbers"))
                .await
                .unwrap(),
        );
    }
    // Other tests of this process use slots too, so a few are left to them.
    let sums = join_all((0..32_u64).map(|number| {
        let engine = &engine;
        async move {
            (
                number,
                text(
                    engine,
                    &format!("SELECT sum(number) + {number} FROM numbers(1000)"),
                )
                .await,
            )
        }
    }));
    for (number, sum) in tokio::time::timeout(Duration::from_secs(60), sums).await.unwrap() {
        assert_eq!(sum, format!("{}\n", 499_500 + number));
    }
    drop(held);
}
