//! `produce` publishes what `ingest` accepts, and names what it would reject.

use events::{Decoded, Timestamp};
use tempfile::tempdir;

use super::{
    data::{conversations, event},
    run, run_with_input,
};
use crate::harness::{Process, root};

/// README's event as it looks on three lines.
fn on_three_lines() -> String {
    event(1)
        .replace("\"time\"", "\n\"time\"")
        .replace("\"data\"", "\n\"data\"")
        + "\n"
}

#[test]
fn the_event_of_the_readme_is_on_one_line() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<<'EVENT'\n").unwrap();
    let (event, _) = rest.split_once("\nEVENT\n").unwrap();
    let now = Timestamp::from_millis(i64::MAX);
    let decoded = events::decode(std::iter::empty(), Some(event.as_bytes()), now).unwrap();
    assert!(matches!(decoded, Decoded::Event(_)), "{decoded:?}");
    assert_eq!(event.lines().count(), 1, "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ingest_would_reject_is_named_and_not_published_unless_forced() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let data = dir.path().join("data");
    let to_up = ["produce", "--data-dir", data.to_str().unwrap()];
    let file = dir.path().join("events.jsonl");
    let name = file.to_str().unwrap();

    let good = |numbers: std::ops::Range<u32>| numbers.map(|number| event(number) + "\n").collect::<String>();
    let no_org = event(100).replace("\"org\"", "\"organisation\"") + "\n";
    let too_large = event(101).replace("hello", &"x".repeat(1 << 20)) + "\n";
    let many = "nonsense\n".repeat(1_000);
    // The input, and what is said of it.
    for (input, expected) in [
        (
            on_three_lines(),
            &[
                "3 of 3 lines",
                "line 1: ",
                "line 2: ",
                "line 3: ",
                "malformed JSON",
            ][..],
        ),
        (
            good(0..5) + "\n" + &no_org + &good(5..9),
            &["1 of 10 lines", "line 7: org: missing"],
        ),
        (
            good(0..5) + &too_large,
            &["1 of 6 lines", "line 6: record: ", "1048576"],
        ),
        (many, &["1000 of 1000 lines", "line 10: "]),
    ] {
        std::fs::write(&file, &input).unwrap();
        let ended = run(&[&to_up[..], &[name]].concat(), &[]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        for words in expected
            .iter()
            .copied()
            .chain(["events.jsonl: nothing is published", "--force"])
        {
            assert!(
                ended.stderr.contains(words),
                "{words} is not in: {}",
                ended.stderr
            );
        }
        assert!(ended.stderr.lines().count() <= 11, "{}", ended.stderr);
    }
    up.settled().await;
    assert_eq!(
        up.metric("rollcall_records_total").await,
        0,
        "nothing is published"
    );

    // What cannot be read twice is published up to the first such line.
    let input = good(0..5) + &no_org + &good(5..9);
    let ended = run_with_input(&[&to_up[..], &["-"]].concat(), &[], input.clone().into_bytes()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    for words in [
        "5 events are published, and no more",
        "line 6 ",
        "org: missing",
        "--force",
    ] {
        assert!(
            ended.stderr.contains(words),
            "{words} is not in: {}",
            ended.stderr
        );
    }
    up.settled().await;
    assert_eq!(conversations(&up).await, 5);

    std::fs::write(&file, &input).unwrap();
    let ended = run(&[&to_up[..], &["--force", name]].concat(), &[]).await;
    assert!(ended.stdout.starts_with("published 10 events to "), "{ended:?}");
    up.settled().await;
    assert_eq!(conversations(&up).await, 9);
    assert_eq!(up.metric("rollcall_records_total{outcome=\"rejected\"").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_unknown_types_are_published_with_a_warning_for_each_type() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let data = dir.path().join("data");
    let lines = |name: &str| event(1).replace("chat.message", name) + "\n";
    let input = lines("chat.massage").repeat(3) + &lines("CHAT.MESSAGE") + &event(2);
    let ended = run_with_input(
        &["produce", "--data-dir", data.to_str().unwrap(), "-"],
        &[],
        input.into_bytes(),
    )
    .await;
    assert!(ended.stdout.starts_with("published 5 events to "), "{ended:?}");
    for name in [
        "line=1 type=chat.massage.created.v1",
        "line=4 type=CHAT.MESSAGE.created.v1",
    ] {
        assert_eq!(ended.stderr.matches(name).count(), 1, "{}", ended.stderr);
    }
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    up.settled().await;
    assert_eq!(up.metric("rollcall_records_total{outcome=\"skipped\"").await, 4);
}
