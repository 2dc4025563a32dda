//! What `rollcall export` writes: the answers of the API and all messages, in every form.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use events::Body;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::{Ended, data::event, run},
    harness::{Parts, Process, Running, subdirectory, succeeds, try_peak_memory, until},
    oracle::{
        is_kept, oracle,
        question::Question,
        records,
        world::{World, sample},
    },
    tools,
};

/// How far it is would be logged on a slow machine.
const QUIET: [(&str, &str); 1] = [("ROLLCALL__LOG__FILTER", "warn")];

const FORMATS: [&str; 3] = ["csv", "jsonl", "parquet"];

/// Runs `rollcall export` to its end.
async fn export(parts: &Parts, args: &[&str]) -> Ended {
    let variables = [&parts.variables()[..], parts.cluster().as_slice(), &QUIET].concat();
    run(&[&["export"], args].concat(), &variables).await
}

/// What is exported to standard output.
async fn exported(parts: &Parts, args: &[&str]) -> String {
    let ended = export(parts, args).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
    ended.stdout
}

fn json_lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file that was exported, and what it must hold.
struct Expected {
    file: PathBuf,
    rows: Vec<Value>,
    types: Value,
}

/// Compares what readers of Parquet and CSV find in files.
fn compare_files(files: &[Expected]) {
    let dir = tools::installed("parquet", &["requirements.txt", "read.py"], tools::install_python);
    let paths: Value = files.iter().map(|file| file.file.to_str().unwrap()).collect();
    let read = tools::run("bin/python", ["read.py"], &dir, Some(&paths));
    let read: Vec<Value> = serde_json::from_slice(&read).unwrap();
    assert_eq!(read.len(), files.len());
    for (expected, read) in files.iter().zip(read) {
        assert_eq!(read["types"], expected.types, "{}", expected.file.display());
        assert_eq!(
            read["rows"],
            Value::from(expected.rows.clone()),
            "{}",
            expected.file.display()
        );
    }
}

/// The words of the command line for a question of the API.
fn args(question: &Question) -> Vec<String> {
    let (endpoint, parameters) = question.request();
    let what = match endpoint {
        "usage-summary/" => "usage",
        "user-cohorts-over-time/" => "cohorts",
        "transcripts/" => "transcripts",
        other => panic!("{other}"),
    };
    let options = parameters.into_iter().filter_map(|(name, value)| {
        let option = match name {
            "start_date" => "from",
            "end_date" => "to",
            "group_by" | "aggregation" => "by",
            "mentor" | "mentor_id" => "mentor",
            "new_users_by" => "new-users-by",
            other => other,
        };
        (!value.is_empty()).then(|| format!("--{option}={value}"))
    });
    std::iter::once(what.to_owned()).chain(options).collect()
}

/// An answer of the API as lines of JSON, and as Parquet has it.
fn as_rows(question: &Question, answer: &Value) -> (Vec<Value>, Vec<Value>) {
    let lines: Vec<Value> = match question {
        Question::Cohorts { .. } => {
            let list = |name: &str| answer[name].as_array().unwrap().clone();
            let periods = list("periods")
                .into_iter()
                .zip(list("new_users"))
                .zip(list("veteran_users"));
            periods
                .map(|((periods, new_users), veteran_users)| {
                    json!({"periods": periods, "new_users": new_users, "veteran_users": veteran_users})
                })
                .collect()
        }
        _ => answer.as_array().unwrap().clone(),
    };
    let mut rows = lines.clone();
    for row in &mut rows {
        for name in ["date", "periods"] {
            if let Some(Value::String(instant)) = row.get_mut(name) {
                *instant = instant.replace(":00:00Z", ":00:00.000Z");
            }
        }
        if let Some(topics) = row.get_mut("topics") {
            *topics = topics
                .as_array()
                .unwrap()
                .iter()
                .map(|topic| topic["name"].clone())
                .collect();
        }
    }
    (lines, rows)
}

/// The types of the columns of a Parquet file.
fn types(question: &Question) -> Value {
    const INSTANT: &str = "timestamp[ms, tz=UTC]";
    match question {
        Question::Usage {
            grain: Some("hour" | "hourly"),
            ..
        } => json!({"date": INSTANT, "user_count": "int64"}),
        Question::Usage { .. } => json!({"date": "date32[day]", "user_count": "int64"}),
        Question::Cohorts { .. } => {
            json!({"periods": INSTANT, "new_users": "int64", "veteran_users": "int64"})
        }
        Question::Transcripts { .. } => json!({
            "id": "string", "inserted_at": INSTANT, "user_id": "string", "first_message": "string",
            "message_count": "int64", "model": "string", "topics": "list<element: string not null>",
            "user_sentiment": "string",
        }),
    }
}

fn message_types() -> Value {
    let text = |name: &str| (name.to_owned(), Value::from("string"));
    let names = [
        "message_id",
        "conversation_id",
        "role",
        "user_id",
        "mentor_id",
        "content",
        "model",
    ];
    let mut types: serde_json::Map<_, _> = names.into_iter().map(text).collect();
    types.insert("time".to_owned(), "timestamp[ms, tz=UTC]".into());
    types.into()
}

/// The records of messages of a world.
fn message_records(world: &World) -> BTreeSet<String> {
    let events = world
        .events
        .iter()
        .map(|entry| &entry.event)
        .filter(|event| is_kept(event));
    let records = events.filter_map(|event| match &event.body {
        Body::Message(message) => Some(
            json!({
                "message_id": message.message_id.to_string(),
                "conversation_id": message.conversation_id.to_string(),
                "time": event.time.to_rfc3339(),
                "role": message.role.as_str(),
                "user_id": message.user_id.as_deref().unwrap_or_default(),
                "mentor_id": message.mentor_id.as_deref().unwrap_or_default(),
                "content": message.content,
                "model": message.model.as_deref().unwrap_or_default(),
            })
            .to_string(),
        ),
        _ => None,
    });
    records.collect()
}

/// The rows as a set, once it is certain that they are in order and none is there twice.
fn as_set(rows: &[Value]) -> BTreeSet<String> {
    let key = |row: &Value| {
        ["conversation_id", "time", "message_id"].map(|name| row[name].as_str().unwrap().to_owned())
    };
    assert!(rows.is_sorted_by_key(key));
    let set: BTreeSet<_> = rows.iter().map(Value::to_string).collect();
    assert_eq!(set.len(), rows.len());
    set
}

/// Exports the answers to some questions about worlds, and their messages, and compares them with the oracle's.
pub(crate) async fn compare(parts: &Parts, serve: &Process, worlds: &[(String, World)], questions: usize) {
    let dir = tempdir().unwrap();
    let mut files = Vec::new();
    for (org, world) in worlds {
        let oracle = oracle(org, world);
        for question in world.questions.iter().take(questions) {
            let args = [args(question), vec!["--org".to_owned(), org.clone()]].concat();
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            let (lines, rows) = as_rows(question, &question.expected(&oracle, org));
            let found = exported(parts, &[&args[..], &["--format", "jsonl"]].concat()).await;
            assert_eq!(json_lines(&found), lines, "{args:?}");
            let csv = exported(parts, &args).await;
            assert_eq!(csv, question.ask_csv(serve, org).await, "{args:?}");
            let file = dir.path().join(format!("{}.parquet", files.len()));
            let to_file = ["--format", "parquet", "--output", file.to_str().unwrap()];
            let said = exported(parts, &[&args[..], &to_file].concat()).await;
            let end = format!("to {}\n", file.display());
            let begin = format!("exported {} ", rows.len());
            assert!(
                said.starts_with(&begin) && said.ends_with(&end),
                "{args:?}: {said}"
            );
            files.push(Expected {
                file,
                rows,
                types: types(question),
            });
        }
        let args = ["messages", "--org", org.as_str()];
        let found = exported(parts, &[&args[..], &["--format", "jsonl"]].concat()).await;
        let rows = json_lines(&found);
        assert_eq!(as_set(&rows), message_records(world));
        for format in ["csv", "parquet"] {
            let file = dir.path().join(format!("{}.{format}", files.len()));
            let to_file = ["--format", format, "--output", file.to_str().unwrap()];
            exported(parts, &[&args[..], &to_file].concat()).await;
            files.push(Expected {
                file,
                rows: rows.clone(),
                types: if format == "csv" {
                    json!({})
                } else {
                    message_types()
                },
            });
        }
    }
    compare_files(&files);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_is_what_the_oracle_has_in_every_form() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let worlds: Vec<_> = sample(2)
        .into_iter()
        .enumerate()
        .map(|(number, world)| (format!("world-{number}"), world))
        .collect();
    let ingest = parts.ingest(&[]).await;
    parts.kafka.publish_records(records(&worlds, 0, 1)).await;
    ingest.settled().await;
    compare(&parts, &parts.serve(&[]).await, &worlds, 15).await;
}

/// Texts that forms could confuse with their own signs.
const TEXTS: [&str; 6] = [
    "=HYPERLINK(\"http://example.com\")",
    "two\nlines\r\nand \"quotes\", 'these', too",
    "nothing\u{0}ends here",
    "\u{1F642} gr\u{fc}\u{df}e, \u{202e}back",
    "'=1",
    "",
];

/// A message of this number in one conversation, sent that many hours into a day.
fn said(number: usize, text: &str, mentor: &str) -> Value {
    json!({
        "specversion": "1.0", "id": format!("e-{number}"), "source": "/test", "type": "chat.message.created.v1",
        "time": format!("2024-05-{:02}T10:00:00.001Z", 15 + number), "org": "texts",
        "data": {
            "message_id": format!("00000000-0000-0000-0001-{number:012}"),
            "conversation_id": "00000000-0000-0000-0000-000000000007",
            "role": "user", "user_id": "+ada", "mentor_id": mentor, "content": text,
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_survives_in_every_form_and_messages_are_chosen_by_day_and_mentor() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    let mentor = |number: usize| ["euclid", "@plato"][number % 2];
    let events = TEXTS.iter().enumerate();
    let events = events.map(|(number, text)| said(number, text, mentor(number)).to_string());
    // The first comes again, and then with another text.
    let again = [said(0, TEXTS[0], "euclid"), said(0, "edited", "euclid")].map(|event| event.to_string());
    parts.kafka.publish(events.chain(again)).await;
    ingest.settled().await;

    let record = |number: usize, text: &str| {
        json!({
            "message_id": format!("00000000-0000-0000-0001-{number:012}"),
            "conversation_id": "00000000-0000-0000-0000-000000000007",
            "time": format!("2024-05-{:02}T10:00:00.001Z", 15 + number),
            "role": "user", "user_id": "+ada", "mentor_id": mentor(number), "content": text, "model": "",
        })
    };
    let mut rows: Vec<_> = TEXTS
        .iter()
        .enumerate()
        .map(|(number, text)| record(number, text))
        .collect();
    rows.push(record(0, "edited"));
    let args = ["messages", "--org", "texts"];
    let found = json_lines(&exported(&parts, &[&args[..], &["--format", "jsonl"]].concat()).await);
    assert_eq!(as_set(&found), as_set_of(&rows));

    let mut files = Vec::new();
    for (format, types) in [("csv", json!({})), ("parquet", message_types())] {
        let file = dir.path().join(format!("texts.{format}"));
        let to_file = ["--format", format, "--output", file.to_str().unwrap()];
        exported(&parts, &[&args[..], &to_file].concat()).await;
        let mut rows = found.clone();
        if format == "csv" {
            // What a spreadsheet would take for a formula begins with an apostrophe.
            for row in &mut rows {
                for name in ["user_id", "mentor_id", "content"] {
                    let text = row[name].as_str().unwrap();
                    if text.starts_with(['=', '+', '@']) {
                        row[name] = format!("'{text}").into();
                    }
                }
            }
        }
        files.push(Expected { file, rows, types });
    }
    compare_files(&files);

    for (options, numbers) in [
        (&["--mentor", "@plato"][..], &[1, 3, 5][..]),
        (&["--from", "2024-05-17"], &[2, 3, 4, 5]),
        (&["--to", "2024-05-16", "--mentor", "@plato"], &[1]),
        (&["--from", "2024-05-17", "--to", "2024-05-18"], &[2, 3]),
        (&["--from", "0001-01-01", "--to", "2024-05-14"], &[]),
        (&["--from", "2300-01-01", "--to", "9999-12-31"], &[]),
        (&["--mentor", "plato"], &[]),
    ] {
        let found = exported(&parts, &[&args[..], options, &["--format", "jsonl"]].concat()).await;
        let expected: Vec<_> = numbers
            .iter()
            .map(|number| record(*number, TEXTS[*number]))
            .collect();
        assert_eq!(json_lines(&found), expected, "{options:?}");
    }
}

fn as_set_of(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(Value::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_while_events_arrive_has_all_that_was_there_and_each_once() {
    /// How many are there when it begins.
    const BEFORE: u32 = 300;
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let ingest = parts.ingest(&[]).await;
    parts.kafka.publish((0..BEFORE).map(event)).await;
    ingest.settled().await;

    let is_done = AtomicBool::new(false);
    let arriving = async {
        let mut number = BEFORE;
        while !is_done.load(Ordering::Relaxed) {
            parts.kafka.publish((number..number + 20).map(event)).await;
            number += 20;
        }
        number
    };
    let exporting = async {
        let id = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let mut largest = 0;
        for round in 0..6 {
            for (what, name) in [("transcripts", "id"), ("messages", "conversation_id")] {
                let args = ["--org", "acme", what, "--format", "jsonl"];
                let rows = json_lines(&exported(&parts, &args).await);
                let ids: BTreeSet<_> = rows.iter().map(|row| id(row, name)).collect();
                assert_eq!(ids.len(), rows.len(), "{what}, round {round}");
                for number in 0..BEFORE {
                    let id = format!("00000000-0000-0000-0000-{number:012}");
                    assert!(ids.contains(&id), "{what}, round {round}: {id}");
                }
                largest = largest.max(rows.len());
            }
        }
        is_done.store(true, Ordering::Relaxed);
        largest
    };
    let (published, largest) = tokio::join!(arriving, exporting);
    assert!(
        largest > usize::try_from(BEFORE).unwrap(),
        "nothing arrived meanwhile"
    );
    ingest.settled().await;
    let rows = json_lines(&exported(&parts, &["messages", "--org", "acme", "--format", "jsonl"]).await);
    assert_eq!(as_set(&rows).len(), usize::try_from(published).unwrap());
}

/// How many messages of 100 KB there are, of an organisation that has nothing else.
const MANY: usize = 1_000;

/// Makes them, as ingestion would leave them; and a user, so that their organisation exists.
async fn make_messages(parts: &Parts) {
    // Texts that cannot be packed to nothing.
    let messages = format!(
        "INSERT INTO rollcall.messages (org, conversation_id, time, message_id, role, user_id, content)
        SELECT 'long', number % 7, toDateTime64('2024-01-01 00:00:00', 3, 'UTC') + INTERVAL number SECOND, number, 'user', 'u',
            arrayStringConcat(arrayMap(part -> hex(sipHash128(number, part)), range(3125)))
        FROM numbers({MANY}) SETTINGS max_block_size = 100"
    );
    let users = "INSERT INTO rollcall.incoming_users
        SELECT 'long', 'u', toInt64(1704067200000)";
    for statement in [messages.as_str(), users] {
        parts.clickhouse.sql(statement).await;
    }
}

/// Starts `rollcall export` of them.
fn start(parts: &Parts, args: &[&str]) -> Child {
    let args = [&["export", "--org", "long", "messages"], args].concat();
    let mut command = parts.command(&args);
    command
        .envs(QUIET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What a process has said, once it has ended.
fn error_of(child: &mut Child) -> String {
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    error
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().flatten();
    let mut names: Vec<_> = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_stopped_or_killed_leaves_the_file_of_the_one_before() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    make_messages(&parts).await;
    let files = subdirectory(dir.path(), "files");
    let file = files.join("messages.jsonl");
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let args = ["--format", "jsonl", "--output", file.to_str().unwrap()];
    for signal in ["TERM", "KILL"] {
        let mut running = Running(start(&parts, &args));
        until("a part is written", async || {
            let is_part = |name: &String| name.starts_with(".messages.jsonl.");
            let part = names(&files).into_iter().find(is_part)?;
            let size = fs::metadata(files.join(part)).ok()?.len();
            (size > 0).then_some(())
        })
        .await;
        parts.clickhouse.send_engine("STOP");
        let status = running.signal(signal).await;
        parts.clickhouse.send_engine("CONT");
        let error = error_of(&mut running.0);
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        if signal == "TERM" {
            assert_eq!(status.code(), Some(1), "{error}");
            assert!(error.contains("stopped before the end"), "{error}");
            assert_eq!(names(&files), ["messages.jsonl"]);
        }
    }
    let mut written = Vec::new();
    for _ in 0..2 {
        let said = exported(&parts, &[&["--org", "long", "messages"][..], &args].concat()).await;
        assert_eq!(said, format!("exported {MANY} messages to {}\n", file.display()));
        written.push(fs::read_to_string(&file).unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
    assert_eq!(as_set(&json_lines(&written[0])).len(), MANY);
    assert!(written[0] == written[1], "the same again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_on_once_clickhouse_is_back() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    make_messages(&parts).await;
    let mut running = Running(start(&parts, &["--format", "jsonl"]));
    let mut output = running.0.stdout.take().unwrap();
    let mut exported = vec![0; 10 << 20];
    output.read_exact(&mut exported).unwrap();
    // What was read ahead ends in the pipe: much is still to be asked for.
    parts.clickhouse.send_engine("KILL");
    output.read_to_end(&mut exported).unwrap();
    let status = running.end().await;
    assert!(status.success(), "{}", error_of(&mut running.0));
    let rows = json_lines(&String::from_utf8(exported).unwrap());
    assert_eq!(as_set(&rows).len(), MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_takes_little_memory_and_ends_quietly_where_nobody_reads_on() {
    /// In bytes; the messages take 100 MB.
    const MEMORY: u64 = 120 << 20;
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    make_messages(&parts).await;
    for format in FORMATS {
        let mut running = Running(start(&parts, &["--format", format]));
        let mut output = running.0.stdout.take().unwrap();
        let (mut total, mut peak, mut buffer) = (0, 0, vec![0; 1 << 20]);
        loop {
            // Once it has ended it has no memory.
            peak = try_peak_memory(running.0.id()).unwrap_or_default().max(peak);
            match output.read(&mut buffer).unwrap() {
                0 => break,
                read => total += read,
            }
        }
        let status = running.end().await;
        assert!(status.success(), "{format}: {}", error_of(&mut running.0));
        eprintln!("{format}: {total} bytes, {} MiB at the peak", peak >> 20);
        assert!(total > 40_000_000, "{format}: {total}");
        assert!((1..MEMORY).contains(&peak), "{format}: {peak} bytes");

        let mut running = Running(start(&parts, &["--format", format]));
        let mut output = running.0.stdout.take().unwrap();
        output.read_exact(&mut buffer).unwrap();
        drop(output);
        let status = running.end().await;
        assert_eq!(
            (status.code(), error_of(&mut running.0).as_str()),
            (Some(0), ""),
            "{format}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_export_is_said_before_anything_is_written() {
    let dir = tempdir().unwrap();
    let parts = Parts::bare(dir.path()).await;
    let file = dir.path().join("file");
    let file = file.to_str().unwrap();
    let days = ["--from", "2024-01-01", "--to", "2024-01-02"];
    let usage = |more: &[&'static str]| [&["usage", "--org", "acme"], more].concat();
    let messages = ["messages", "--org", "acme", "--format", "jsonl"];
    let unmigrated = export(&parts, &messages).await;
    assert_eq!((unmigrated.code, unmigrated.stdout.as_str()), (Some(1), ""));
    assert!(
        unmigrated.stderr.contains("run `rollcall migrate`"),
        "{unmigrated:?}"
    );
    succeeds(&mut parts.command(&["migrate"]));
    for (args, code, said) in [
        (messages.to_vec(), 1, "org acme does not exist"),
        (vec!["messages", "--org", "a b"], 2, "[A-Za-z0-9._-]"),
        (
            usage(&["--from", "2024-02-30", "--to", "2024-03-01"]),
            2,
            "'--from <DAY>': must be a date as YYYY-MM-DD",
        ),
        (
            usage(&["--from", "2024-02-01", "--to", "tomorrow"]),
            2,
            "'--to <DAY>': must be a date as YYYY-MM-DD",
        ),
        (usage(&["--from", "2024-02-01"]), 1, "--to is required for usage"),
        (
            vec!["cohorts", "--org", "acme"],
            1,
            "--from is required for cohorts",
        ),
        (
            usage(&["--from", "2024-02-02", "--to", "2024-02-01"]),
            1,
            "--from must not be after --to",
        ),
        (
            [&messages[..], &["--from", "2024-02-02", "--to", "2024-02-01"]].concat(),
            1,
            "--from must not be after --to",
        ),
        (
            usage(&["--from", "2020-01-01", "--to", "2024-12-31", "--by", "hour"]),
            1,
            "has 43848 periods; at most 10000 are exported",
        ),
        (
            usage(&["--by", "minute"]),
            2,
            "possible values: day, hour, week, month",
        ),
        (
            [&usage(&days)[..], &["--mentor", "euclid"]].concat(),
            1,
            "--mentor says nothing about usage",
        ),
        (
            [&messages[..], &["--by", "day"]].concat(),
            1,
            "--by says nothing about messages",
        ),
        ([&messages[..], &["--mentor", ""]].concat(), 2, "--mentor"),
        (
            vec!["transcripts", "--org", "acme", "--topics", ","],
            1,
            "--topics must not be blank",
        ),
        (
            vec!["sessions", "--org", "acme"],
            2,
            "possible values: usage, cohorts, transcripts, messages",
        ),
        (
            vec!["messages", "--org", "acme", "--format", "xml"],
            2,
            "possible values: csv, jsonl, parquet",
        ),
    ] {
        let args = [&args[..], &["--output", file]].concat();
        let ended = export(&parts, &args).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.stderr.contains(said), "{said} is not in: {ended:?}");
    }
    assert!(!dir.path().join("file").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_is_configured_has_an_export_which_goes_to_files_alone() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (folder, pipe, nowhere) = (path("."), path("pipe"), path("none/file"));
    succeeds(Command::new("mkfifo").arg(&pipe));
    let days = ["--from", "2024-01-01", "--to", "2024-01-02"];
    let messages = ["messages", "--org", "acme", "--format", "jsonl"];
    let known = [("ROLLCALL__AUTH__ORGS", "acme")];
    let variables = [&parts.variables()[..], &known].concat();
    for (output, said) in [
        (folder.as_str(), "is no file"),
        (&pipe, "is no file"),
        (&nowhere, "there is no folder for"),
    ] {
        let args = [&["export"], &messages[..], &["--output", output]].concat();
        let ended = run(&args, &variables).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.contains(said), "{said} is not in: {ended:?}");
    }
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let none = run(&[&["export"], &messages[..]].concat(), &variables).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none:?}");
    let usage = run(
        &[&["export", "usage", "--org", "acme"], &days[..]].concat(),
        &variables,
    )
    .await;
    assert_eq!(
        usage.stdout, "date,user_count\r\n2024-01-01,0\r\n2024-01-02,0\r\n",
        "{usage:?}"
    );
}
