//! The real conversations of an IRC channel, compared with the oracle.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::Command,
};

use events::{Body, DateRange, Decoded, Event, Timestamp};
use flate2::bufread::MultiGzDecoder;
use oracle::Oracle;
use serde_json::Value;
use tempfile::tempdir;

use crate::{
    harness::{Parts, Process, ROLLCALL, root, send, succeeds},
    oracle::question::{Question, all_transcripts, compare_with, days},
};

const ORG: &str = "ubuntu";
/// Every event is older than this.
const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);

/// Where the data are; they are not part of the project.
fn file() -> PathBuf {
    root().join("../shared/data/ubuntu-irc-2004-2006.jsonl.gz")
}

/// All events of the file.
fn lines() -> impl Iterator<Item = String> {
    let file = BufReader::new(File::open(file()).unwrap());
    BufReader::new(MultiGzDecoder::new(file))
        .lines()
        .map(Result::unwrap)
}

fn event(line: &str) -> Event<'static> {
    match events::decode(std::iter::empty(), Some(line.as_bytes()), NOW).unwrap() {
        Decoded::Event(event) => event.into_owned(),
        other @ Decoded::Skipped { .. } => panic!("{other:?}"),
    }
}

/// The most frequent of some names, most frequent first.
fn most_frequent(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<_> = counts.into_iter().map(|(name, count)| (count, name)).collect();
    names.sort();
    names.into_iter().rev().map(|(_, name)| name).collect()
}

fn questions(mentors: &[String], topics: &[String]) -> Vec<Question> {
    let years = [
        days("2004-01-01", "2004-12-31"),
        days("2005-01-01", "2005-12-31"),
        days("2006-01-01", "2006-12-31"),
    ];
    let others = [
        days("2004-11-15", "2004-11-15"),
        days("2004-11-14", "2004-11-17"),
        days("2004-12-27", "2005-01-02"),
        days("2005-06-29", "2005-07-13"),
        days("2006-02-28", "2006-03-01"),
    ];
    let whole = days("2004-01-01", "2006-12-31");
    let ranges = years.into_iter().chain(others);
    let mut asked: Vec<(DateRange, &'static str)> = ranges
        .flat_map(|range| ["hour", "day", "week"].map(|grain| (range, grain)))
        .collect();
    asked.extend([
        (whole, "day"),
        (whole, "week"),
        (days("2000-01-01", "2024-12-31"), "day"),
    ]);

    let mut questions = vec![all_transcripts()];
    for (index, (range, grain)) in asked.into_iter().enumerate() {
        let grain = Some(grain);
        let cohorts = |mentor: Option<&String>, new_users_by| Question::Cohorts {
            range,
            grain,
            mentor: mentor.cloned(),
            new_users_by,
        };
        let mentor = mentors.get(index % mentors.len());
        questions.extend([
            Question::Usage { range, grain },
            cohorts(None, None),
            cohorts(None, Some("activity")),
            cohorts(mentor, Some("registration")),
            cohorts(mentor, Some("activity")),
        ]);
    }
    let transcripts = |range: Option<DateRange>, mentor: Option<&String>, topics: &[String], page_size| {
        Question::Transcripts {
            start: range.map(|range| range.start()),
            end: range.map(|range| range.end()),
            mentor: mentor.cloned(),
            topics: topics.to_vec(),
            page_size,
        }
    };
    for (range, mentor) in years.into_iter().chain(others).zip(mentors.iter().cycle()) {
        questions.push(transcripts(Some(range), None, &[], None));
        questions.push(transcripts(Some(range), Some(mentor), &[], None));
    }
    for topic in topics.iter().take(4) {
        questions.push(transcripts(None, None, &[topic.to_uppercase()], None));
    }
    let (first, last) = (topics.iter().take(2).cloned(), topics.iter().last().cloned());
    let several: Vec<String> = first.chain(last).collect();
    questions.push(transcripts(Some(years[1]), mentors.first(), &several, None));
    questions.push(transcripts(Some(years[0]), None, &several, Some(997)));
    questions.push(transcripts(Some(others[1]), None, &[], Some(250)));
    questions
}

/// Publishes the whole file with the command for it.
fn produce(kafka: &Process) {
    let servers = kafka.ready.bootstrap_servers.as_deref().unwrap();
    let mut produce = Command::new(ROLLCALL);
    let produce = produce.arg("produce").arg(file());
    let printed = succeeds(produce.env("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers));
    assert!(
        printed.starts_with("published 95398 events to chat.events"),
        "{printed}"
    );
}

/// Questions about the whole file, with the oracle's answers; none where there is no file.
#[expect(
    clippy::explicit_write,
    reason = "what is skipped is not captured with a test's output, so that it is seen"
)]
fn asked() -> Option<Vec<(Question, Value)>> {
    if !file().exists() {
        writeln!(std::io::stderr(), "SKIPPED: {} is missing", file().display()).unwrap();
        return None;
    }
    let events: Vec<Event<'static>> = lines().map(|line| event(&line)).collect();
    assert_eq!(events.len(), 95_398);
    let mut oracle = Oracle::default();
    for event in &events {
        oracle.add(event);
    }
    let mentors = most_frequent(events.iter().filter_map(|event| match &event.body {
        Body::Message(message) => message.mentor_id.as_deref().map(str::to_owned),
        _ => None,
    }));
    let topics = most_frequent(events.iter().flat_map(|event| match &event.body {
        Body::Annotation(annotation) => annotation.topics.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }));
    let asked: Vec<_> = questions(&mentors, &topics)
        .into_iter()
        .map(|question| {
            let expected = question.expected(&oracle, ORG);
            (question, expected)
        })
        .collect();
    assert_eq!(asked[0].1.as_array().unwrap().len(), 42_164);
    Some(asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_about_a_real_channel_equal_the_oracles() {
    let Some(asked) = asked() else { return };
    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    for time in ["first", "second, when all are duplicates"] {
        produce(&process);
        process.settled().await;
        if let Err(difference) = compare_with(&process, ORG, &asked).await {
            panic!("the {time} time: {difference}");
        }
    }
    assert_eq!(process.metric("rollcall_records_lost_total").await, 0);
    assert_eq!(process.metric("rollcall_records_total").await, 2 * 95_398);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_a_cluster_about_a_real_channel_equal_the_oracles() {
    let Some(asked) = asked() else { return };
    let dir = tempdir().unwrap();
    let parts = Parts::on_cluster(dir.path()).await;
    let shards = parts.clickhouse.ready.clickhouse_pids.clone().unwrap();
    let (one, other) = (parts.ingest(&[]).await, parts.ingest(&[]).await);
    // Until it goes on, little is acknowledged: what is published waits in both.
    send(shards[1], "STOP");
    produce(&parts.kafka);
    one.send("KILL");
    send(shards[2], "KILL");
    send(shards[1], "CONT");
    other.settled().await;

    for server in [parts.serve(&[]).await, parts.serve(&[]).await] {
        if let Err(difference) = compare_with(&server, ORG, &asked).await {
            panic!("{difference}");
        }
    }
}
