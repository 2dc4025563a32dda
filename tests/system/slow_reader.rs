//! A list that is read slowly: it is held neither in memory nor open at ClickHouse.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::Value;
use tempfile::tempdir;

use crate::harness::{Parts, Process, peak_memory, until};

/// The most memory that `serve` may take, in bytes.
const MEMORY: u64 = 128 << 20;
/// What is read between two pauses, in bytes.
const STRETCH: usize = 4 << 20;
/// How often the reader pauses, until no statement is open.
const PAUSES: u32 = 8;
/// For how long none is open then.
const PAUSE: Duration = Duration::from_millis(300);

/// Makes conversations of one message of 50 KB each, as ingestion would leave them.
async fn make_conversations(clickhouse: &Process, count: u32) {
    // Texts that cannot be packed to nothing.
    let messages = format!(
        "INSERT INTO rollcall.messages (org, conversation_id, time, message_id, role, user_id, content)
        SELECT 'org', number, toDateTime64('2024-01-01 00:00:00', 3, 'UTC') + INTERVAL number * 60 SECOND, number, 'user', 'u',
            repeat(hex(sipHash128(number)), 1563)
        FROM numbers({count}) SETTINGS max_block_size = 500"
    );
    let days = "INSERT INTO rollcall.conversations_by_day
        SELECT org, '', toDate(time), conversation_id, toUnixTimestamp64Milli(time) FROM rollcall.messages";
    let beginnings = "INSERT INTO rollcall.incoming_conversations
        SELECT org, conversation_id, bitShiftLeft(toUInt256(toUnixTimestamp64Milli(time)), 128) + message_id, '', ''
        FROM rollcall.messages";
    for statement in [messages.as_str(), days, beginnings] {
        clickhouse.sql(statement).await;
    }
}

/// The statements that are open at ClickHouse besides this one.
async fn open_statements(clickhouse: &Process) -> u64 {
    let open = "SELECT count() - 1 FROM system.processes WHERE user = currentUser()";
    let open = clickhouse.sql(open).await;
    open.trim().parse().unwrap()
}

/// Reads so much of a body; none where it ends.
async fn read(body: &mut Response, bytes: usize) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    while read.len() < bytes {
        match body.chunk().await.unwrap() {
            Some(chunk) => read.extend_from_slice(&chunk),
            None => break,
        }
    }
    (!read.is_empty()).then_some(read)
}

async fn is_read_slowly(count: u32) {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    make_conversations(&parts.clickhouse, count).await;
    let serve = parts.serve(&[]).await;
    let mut list = serve.fetch(&serve.url("org", "transcripts/")).await;
    assert_eq!(list.status(), 200, "{:?}", list.text().await);
    let (mut items, mut pauses, mut rest) = (0, 0, Vec::new());
    while let Some(bytes) = read(&mut list, STRETCH).await {
        if pauses < PAUSES {
            pauses += 1;
            // What fits into the buffers of the connection is still asked for, and nothing after that.
            until("no statement is open", async || {
                let began = Instant::now();
                while began.elapsed() < PAUSE {
                    if open_statements(&parts.clickhouse).await > 0 {
                        return None;
                    }
                }
                Some(())
            })
            .await;
        }
        rest.extend(bytes);
        // All but the last, which may be cut.
        if let Some(end) = rest.windows(2).rposition(|pair| pair == b"},") {
            items += count_items(&rest[..=end]);
            rest.drain(..=end);
        }
    }
    items += count_items(&rest[..rest.len() - 1]);
    assert_eq!(items, usize::try_from(count).unwrap());
    let peak = peak_memory(serve.pid());
    eprintln!("{count} conversations; serve had {} MiB at its peak", peak >> 20);
    assert!(peak < MEMORY, "{peak} bytes");
}

/// The number of items in a stretch of an array, which begins with `[` or `,`.
fn count_items(stretch: &[u8]) -> usize {
    let array = [b"[", &stretch[1..], b"]"].concat();
    serde_json::from_slice::<Vec<Value>>(&array).unwrap().len()
}

#[tokio::test]
async fn a_slow_reader_of_long_texts_holds_nothing_open_and_little_memory() {
    is_read_slowly(2_000).await;
}

/// The same of 2.5 GB.
#[tokio::test]
#[ignore = "it takes minutes"]
async fn a_slow_reader_of_gigabytes_holds_nothing_open_and_little_memory() {
    is_read_slowly(50_000).await;
}
