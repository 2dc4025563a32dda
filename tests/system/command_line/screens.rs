//! What commands show on a terminal of 80 columns.

use std::path::Path;

use tempfile::tempdir;

use super::data::event;
use crate::{
    harness::{Process, ROLLCALL, on_free_port},
    tools,
};

const COLUMNS: usize = 80;

/// The lines that a command shows until it ends.
async fn screen(shown: &str, command: &[&str], config: &Path) -> Vec<String> {
    let options = ["--config", config.to_str().unwrap()];
    screen_by(&[&["--end", shown, ROLLCALL], command, &options].concat()).await
}

/// The lines that `terminal.py` shows, each state of a bar as a line of its own, without colours.
async fn screen_by(args: &[&str]) -> Vec<String> {
    let args = ["terminal.py"].iter().chain(args);
    let args: Vec<String> = args.map(|arg| (*arg).to_owned()).collect();
    let run = move || tools::run("bin/python", args, &tools::python(), None);
    let bytes = tokio::task::spawn_blocking(run).await.unwrap();
    let mut lines = vec![String::new()];
    let mut is_control = false;
    for char in String::from_utf8(bytes).unwrap().chars() {
        match char {
            '\u{1b}' => is_control = true,
            // A control sequence ends with a letter.
            _ if is_control => is_control = !char.is_ascii_alphabetic(),
            '\r' | '\n' => lines.push(String::new()),
            _ => lines.last_mut().unwrap().push(char),
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// Whether bars and spinners are made of this.
fn is_of_bar(char: char) -> bool {
    matches!(char, '█' | '░' | '\u{2800}'..='\u{28ff}')
}

/// The other lines, where bars fit and nothing is written into one.
fn besides_bars(lines: &[String]) -> Vec<&String> {
    let (bars, others): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.contains(is_of_bar));
    assert!(!bars.is_empty(), "{lines:#?}");
    for bar in bars {
        assert!(bar.chars().count() <= COLUMNS, "{bar}");
        assert!(!bar.contains("WARN") && !bar.contains("INFO"), "{bar}");
    }
    others
}

/// Asserts that bars fit, that nothing is written into one, and that the last lines are these.
fn assert_tidy(lines: &[String], last: &[&str]) {
    let others = besides_bars(lines);
    assert_eq!(others.len(), last.len(), "{lines:#?}");
    for (line, start) in others.into_iter().zip(last) {
        assert!(line.contains(start), "{start} is not in: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_fit_the_terminal_and_lines_do_not_break_them() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let config = dir.path().join("settings.toml");
    let ready = &up.ready;
    let settings = format!(
        "[kafka]\nbootstrap_servers = {:?}\n[clickhouse]\nurl = {:?}\nuser = {:?}\npassword = {:?}\n",
        ready.bootstrap_servers.as_deref().unwrap(),
        ready.clickhouse_url.as_deref().unwrap(),
        ready.clickhouse_user.as_deref().unwrap(),
        ready.clickhouse_password.as_deref().unwrap()
    );
    std::fs::write(&config, settings).unwrap();
    let file = dir.path().join("events.jsonl");
    let lines = (0..50_000).map(|number| event(number) + "\n");
    let unknown = event(1).replace("chat.message", "chat.massage") + "\n";
    std::fs::write(&file, lines.chain([unknown]).collect::<String>()).unwrap();

    let shown = screen(
        "published 50001 events",
        &["produce", file.to_str().unwrap()],
        &config,
    )
    .await;
    assert_tidy(&shown, &["WARN", "published 50001 events"]);
    up.publish(["nonsense"]).await;
    up.settled().await;
    let shown = screen("replayed 1 dead letters", &["replay", "--dead-letters"], &config).await;
    assert_tidy(&shown, &["replayed 1 dead letters"]);
    let shown = screen("users: rebuilt", &["rebuild", "users"], &config).await;
    assert_tidy(&shown, &["users: rebuilt"]);
    let shown = screen("users: agrees", &["verify", "users"], &config).await;
    assert_tidy(&shown, &["users: agrees with the facts"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_and_warnings_of_demo_fit_the_terminal() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let demo = ["Ctrl-C stops it", ROLLCALL, "demo", "--days", "3"];
    let demo: Vec<&str> = on_free_port(&demo, &data);
    let shown = screen_by(&demo).await;
    let warnings = besides_bars(&shown).into_iter();
    for line in warnings.filter(|line| line.contains("WARN")) {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}
