//! More connections than the limit of open files leaves room for.

use std::{fs::File, io::Write, net::TcpStream, path::Path, process::Command};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::tempdir;

use crate::{
    command_line::data::{conversations, event},
    harness::{Process, ROLLCALL, on_free_port, until},
};

/// A command that becomes `rollcall` under a limit of `ulimit`.
fn limited(options: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {options} && exec \"$0\" \"$@\""), ROLLCALL]);
    command
}

fn count(log: &Path, text: &str) -> usize {
    std::fs::read_to_string(log).unwrap().matches(text).count()
}

fn connect(process: &Process) -> TcpStream {
    let addr = process
        .ready
        .api_url
        .as_deref()
        .unwrap()
        .trim_start_matches("http://");
    TcpStream::connect(addr).unwrap()
}

async fn health(process: &Process) -> u16 {
    let url = format!("{}/healthz", process.ready.api_url.as_deref().unwrap());
    reqwest::get(url).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_for_all_files_lock_out_neither_requests_nor_the_embedded_broker() {
    let (dir, files) = (tempdir().unwrap(), 512);
    let (data, log) = (dir.path().join("data"), dir.path().join("log"));
    let up = Process::start_by(
        limited(&format!("-n {files}")),
        dir.path(),
        &on_free_port(&["up"], &data),
        &[],
        File::create(&log).unwrap().into(),
    )
    .await;
    let half = || {
        let mut connection = connect(&up);
        connection.write_all(b"GET / HTTP/1.1\r\nhost").unwrap();
        connection
    };
    let _connections: Vec<_> = (0..files).map(|_| half()).collect();
    up.publish([event(1)]).await;
    assert_eq!(health(&up).await, 200);
    up.settled().await;
    assert_eq!(conversations(&up).await, 1);
    let full = format!("all {} connections are taken", files / 2);
    assert_eq!(count(&log, &full), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_soft_limit_of_files_is_raised_and_connections_that_cannot_be_accepted_are_logged() {
    let dir = tempdir().unwrap();
    let log = dir.path().join("log");
    let serve = Process::start_by(
        limited("-S -n 128"),
        dir.path(),
        &["serve", "--http-addr", "127.0.0.1:0"],
        &[("ROLLCALL__CLICKHOUSE__URL", "http://127.0.0.1:9")],
        File::create(&log).unwrap().into(),
    )
    .await;
    let pid = Pid::from_raw(serve.pid().try_into().unwrap());
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = |current| Rlimit {
        current,
        maximum: hard,
    };
    // The first numbers are those of files that stay open. Others are free now and then, as of connections to ClickHouse.
    let raised = prlimit(pid, Resource::Nofile, limit(Some(4))).unwrap();
    assert_eq!(raised.current, hard);
    let waiting = connect(&serve);
    until("it is logged", async || {
        (count(&log, "cannot accept a connection: Too many open files") == 1).then_some(())
    })
    .await;
    prlimit(pid, Resource::Nofile, raised).unwrap();
    assert_eq!(health(&serve).await, 200);
    drop(waiting);
}
