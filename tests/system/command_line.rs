//! The command line: what each command prints and writes, how it ends, and what it refuses.

mod bad_settings;
pub(crate) mod data;
mod output;
mod produce;
mod running;
mod screens;
mod shutdown;
mod warnings;

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::harness::{ROLLCALL, Running};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `rollcall` until it ends by itself.
pub(crate) async fn run(args: &[&str], variables: &[(&str, &str)]) -> Ended {
    run_with_input(args, variables, Vec::new()).await
}

/// As [`run`], with something to read on standard input.
async fn run_with_input(args: &[&str], variables: &[(&str, &str)], input: Vec<u8>) -> Ended {
    let (out, error) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let mut child = Command::new(ROLLCALL)
        .args(args)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(out.try_clone().unwrap())
        .stderr(error.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut running = Running(child);
    let feed = std::thread::spawn(move || stdin.write_all(&input));
    let status = running.end().await;
    let _not_all_is_read_where_it_fails = feed.join().unwrap();
    Ended {
        code: status.code(),
        stdout: text(out),
        stderr: text(error),
    }
}

/// The text of a file that another process wrote.
fn text(mut file: std::fs::File) -> String {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
