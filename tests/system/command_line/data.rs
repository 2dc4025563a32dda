//! What commands do to data: publish it, keep it, migrate it.

use std::{io::Write, os::unix::fs::PermissionsExt};

use flate2::{Compression, write::GzEncoder};
use tempfile::tempdir;

use super::{run, run_with_input};
use crate::harness::{Parts, Process, on_free_port, subdirectory};

const ORG: &str = "acme";

/// A message in a conversation of its own.
pub(crate) fn event(number: u32) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-{number}","source":"/test","type":"chat.message.created.v1","time":"2024-05-15T10:00:00Z","org":"{ORG}","data":{{"message_id":"00000000-0000-0000-0001-{number:012}","conversation_id":"00000000-0000-0000-0000-{number:012}","role":"user","user_id":"u-{number}","content":"hello"}}}}"#
    )
}

/// Forgets a user of these events.
pub(crate) fn erasure(user_id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"erased","source":"/test","type":"chat.user.erased.v1","time":"2024-05-16T10:00:00Z","org":"{ORG}","data":{{"user_id":"{user_id}","erased_at":"2024-05-16T10:00:00Z"}}}}"#
    )
}

/// How many conversations there are.
pub(crate) async fn conversations(api: &Process) -> usize {
    api.ask(ORG, "transcripts/").await.as_array().unwrap().len()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn produce_publishes_files_gzipped_or_not_and_standard_input() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let servers = up.ready.bootstrap_servers.clone().unwrap();
    let variables = [("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str())];
    let lines =
        |numbers: std::ops::Range<u32>| numbers.map(|number| event(number) + "\n").collect::<String>();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Two members one after the other, as `cat a.gz b.gz` makes them.
    let members = [gzipped(&lines(200..250)), gzipped(&lines(250..300))].concat();
    let unterminated = lines(300..400).trim_end().to_owned();
    let windows = lines(400..450).replace('\n', "\r\n\r\n \t\n");
    let cases = [
        (
            file("plain.jsonl", lines(0..100).as_bytes()),
            Vec::new(),
            100,
            100,
        ),
        (
            file("zipped.jsonl.gz", &gzipped(&lines(100..200))),
            Vec::new(),
            100,
            200,
        ),
        (file("members.gz", &members), Vec::new(), 100, 300),
        ("-".to_owned(), unterminated.into_bytes(), 100, 400),
        ("-".to_owned(), windows.into_bytes(), 50, 450),
        ("-".to_owned(), gzipped(&lines(450..460)), 10, 460),
        ("-".to_owned(), Vec::new(), 0, 460),
    ];
    for (input_name, input, count, total) in cases {
        let ended = run_with_input(&["produce", &input_name], &variables, input).await;
        assert_eq!(ended.code, Some(0), "{input_name}: {ended:?}");
        let start = format!("published {count} events to chat.events in ");
        assert!(ended.stdout.starts_with(&start), "{input_name}: {ended:?}");
        assert_eq!(ended.stdout.lines().count(), 1, "{input_name}: {ended:?}");
        up.settled().await;
        assert_eq!(conversations(&up).await, total, "{input_name}");
    }

    let absent = dir.path().join("absent.jsonl");
    let ended = run(&["produce", absent.to_str().unwrap()], &variables).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("absent.jsonl"), "{ended:?}");
    let mut cut = gzipped(&lines(0..100));
    cut.truncate(cut.len() / 2);
    let ended = run(&["produce", &file("cut.gz", &cut)], &variables).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cut.gz"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_and_the_key_of_up_survive_a_restart() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let key = up.ready.api_key.clone().unwrap();
    up.publish((0..10).map(event)).await;
    up.settled().await;
    let before = up.ask(ORG, "transcripts/").await;
    assert!(up.signal("TERM").await.success());

    let file = dir.path().join("data/api-key");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), key);

    let up = Process::up(dir.path()).await;
    assert_eq!(up.ready.api_key.as_deref(), Some(key.as_str()));
    assert_eq!(up.ask(ORG, "transcripts/").await, before);
    up.publish((5..15).map(event)).await;
    up.settled().await;
    assert_eq!(conversations(&up).await, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_is_for_one_process() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let data = dir.path().join("data");
    for command in [&["up"][..], &["dev", "clickhouse"]] {
        let ended = run(&on_free_port(command, &data), &[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = ended.stderr.lines().last().unwrap();
        assert!(
            line.contains("another process uses the data directory") && line.contains(data.to_str().unwrap()),
            "{line}"
        );
    }
    // The first one still works.
    up.publish([event(1)]).await;
    up.settled().await;
    assert_eq!(conversations(&up).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_may_run_twice_at_once_and_again() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let args = on_free_port(&["dev", "clickhouse"], &data);
    let clickhouse = Process::start(dir.path(), &args, &[]).await;
    let url = clickhouse.ready.clickhouse_url.as_deref().unwrap();
    let [user, password] = clickhouse.clickhouse_login();
    let variables = [
        ("ROLLCALL__CLICKHOUSE__URL", url),
        user,
        password,
        ("ROLLCALL__CLICKHOUSE__DATABASE", "a-b"),
    ];
    let (one, other) = tokio::join!(run(&["migrate"], &variables), run(&["migrate"], &variables));
    for ended in [one, other] {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stdout.contains("the schema of database a-b is at version"),
            "{ended:?}"
        );
    }
    let again = run(&["migrate"], &variables).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.stdout.lines().count(), 1, "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn up_uses_external_services_instead_of_embedded_ones() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let variables = parts.variables();
    let [(_, servers), (_, url), credentials @ ..] = variables;
    let dir = subdirectory(dir.path(), "up");
    let data = dir.join("data");
    let external = ["--kafka", servers, "--clickhouse", url];
    let args = [&on_free_port(&["up"], &data), &external[..]].concat();
    let up = Process::start(&dir, &args, &credentials).await;
    assert_eq!(up.ready.bootstrap_servers.as_deref(), Some(servers));
    assert_eq!(up.ready.clickhouse_url.as_deref(), Some(url));
    parts.kafka.publish((0..10).map(event)).await;
    up.settled().await;
    assert_eq!(conversations(&up).await, 10);
    assert!(up.signal("INT").await.success());
    assert_eq!(conversations(&parts.serve(&[]).await).await, 10);
}
