//! The embedded engine: a process of its own, that only its user can access, started again when it crashes.

use std::{
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    command_line::{
        data::{conversations, event},
        run,
    },
    harness::{Parts, Process, ROLLCALL, on_free_port, until},
    tools,
};

#[tokio::test(flavor = "multi_thread")]
async fn only_its_user_can_access_the_engine() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    up.publish([event(1)]).await;
    up.settled().await;
    let url = up.ready.clickhouse_url.as_deref().unwrap();
    let http = reqwest::Client::new();
    let count = "SELECT count() FROM rollcall.messages";
    let password = up.ready.clickhouse_password.as_deref().unwrap();
    assert_eq!(up.sql(count).await.trim(), "1", "its user has access");
    let native = up.ready.clickhouse_native.as_deref().unwrap();
    for address in [native, url.trim_start_matches("http://")] {
        let address: std::net::SocketAddr = address.parse().unwrap();
        assert!(address.ip().is_loopback(), "{address}");
    }

    let cases = [
        ("without a user", http.post(url)),
        ("as default", http.post(url).basic_auth("default", Some(""))),
        (
            "as default, in the URL",
            http.post(format!("{url}/?user=default&password=")),
        ),
        (
            "without a password",
            http.post(url).basic_auth("rollcall", Some("")),
        ),
        (
            "with another password",
            http.post(url).basic_auth("rollcall", Some("other")),
        ),
        (
            "from a web page",
            http.post(url)
                .header("Origin", "http://example.com")
                .header("Host", "example.com"),
        ),
    ];
    for (who, request) in cases {
        for statement in [count, "SELECT 1", "SYSTEM STOP LISTEN HTTP"] {
            let answer = request.try_clone().unwrap().body(statement).send().await.unwrap();
            assert!(
                !answer.status().is_success(),
                "{who}: {statement}: {}",
                answer.status()
            );
            let allowed = answer.headers().get("access-control-allow-origin").cloned();
            assert_eq!(allowed, None, "{who}");
        }
    }

    let password_file = dir.path().join("data/clickhouse-password");
    let of_the_owner = [
        format!("SELECT file('{}')", password_file.display()),
        format!("SELECT file('/proc/{}/environ')", up.ready.pid),
        "SELECT file('/etc/hostname')".to_owned(),
    ];
    let reach_out = [
        "SELECT * FROM file('/etc/hostname', LineAsString)",
        "SELECT * FROM url('http://127.0.0.1:9/', LineAsString)",
        "SELECT * FROM s3('http://127.0.0.1:9/bucket/key', LineAsString)",
        "SELECT * FROM remote('127.0.0.1:9', system.one)",
        "SELECT * FROM executable('cat', TSV, 'line String')",
        "CREATE TABLE rollcall.f (line String) ENGINE = File(LineAsString)",
        "CREATE TABLE rollcall.u (line String) ENGINE = URL('http://127.0.0.1:9/', LineAsString)",
        "CREATE DATABASE etc ENGINE = Filesystem('/etc')",
        "CREATE TABLE rollcall.d (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS disk = disk(type = local, path = '/tmp/')",
        "CREATE TABLE rollcall.d (n UInt8) ENGINE = MergeTree ORDER BY n \
         SETTINGS disk = disk(type = s3, endpoint = 'http://127.0.0.1:9/bucket/key/')",
        "SELECT * FROM default.`/etc/hostname`",
    ];
    for statement in reach_out
        .into_iter()
        .chain(of_the_owner.iter().map(String::as_str))
    {
        let answer = http
            .post(url)
            .basic_auth("rollcall", Some(password))
            .body(statement.to_owned())
            .send()
            .await
            .unwrap();
        assert!(!answer.status().is_success(), "{statement}");
    }
    let environment = up.sql("SELECT length(file('/proc/self/environ'))").await;
    assert_eq!(
        environment.trim(),
        "0",
        "no secret of the environment is passed on"
    );
    assert_eq!(up.sql(count).await.trim(), "1", "it still runs");
}

/// Asserts that other users can read nothing below a path.
fn assert_private(path: &Path) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode() & 0o077;
    let is_lock = path.ends_with("lock");
    assert!(
        metadata.is_symlink() || is_lock || mode == 0,
        "{}: {mode:o}",
        path.display()
    );
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            // Merges may have removed it.
            let entry = entry.unwrap().path();
            if entry.exists() {
                assert_private(&entry);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_users_cannot_read_the_data_directory() {
    let dir = tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let up = Process::up(dir.path()).await;
    up.publish([event(1)]).await;
    up.settled().await;
    let data = dir.path().join("data");
    assert!(up.signal("TERM").await.success());
    assert_private(&data);
    // Only root can act as another user; otherwise the modes must be enough.
    let mut other = Command::new("cat");
    other
        .arg(data.join("clickhouse-password"))
        .uid(65_534)
        .gid(65_534);
    if let Ok(output) = other.output() {
        assert!(!output.status.success() && output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_is_started_again_and_nothing_acknowledged_is_lost() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    let url = up.ready.clickhouse_url.as_deref().unwrap();
    for round in 0..3 {
        up.publish((round * 1_000..round * 1_000 + 1_000).map(event))
            .await;
        if round != 1 {
            up.settled().await;
        }
        let pid = up.engine_pid();
        up.send_engine("KILL");
        // One that is killed before it serves is not counted.
        until("another engine serves", async || {
            up.try_engine_pid().filter(|&other| other != pid)?;
            reqwest::get(format!("{url}/ping")).await.ok()
        })
        .await;
    }
    up.settled().await;
    until("the API answers again", async || {
        (up.get("acme", "transcripts/").await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(conversations(&up).await, 3_000);
    assert_eq!(up.metric("rollcall_engine_restarts_total").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_ends_with_its_parent_however_that_ends() {
    let dir = tempdir().unwrap();
    for signal in ["KILL", "TERM"] {
        let parts = Parts::bare(dir.path()).await;
        let engine = parts.clickhouse.engine_pid();
        parts.clickhouse.signal(signal).await;
        until("the engine has ended", async || {
            let stat = std::fs::read_to_string(format!("/proc/{engine}/stat")).ok();
            // A zombie that is not reaped yet has ended too.
            stat.is_none_or(|stat| stat.contains(") Z ")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_address_that_other_machines_reach_needs_allow_remote() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let args = [
        "dev",
        "clickhouse",
        "--http-addr",
        "0.0.0.0:0",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let ended = run(&args, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("http.addr") && ended.stderr.contains("--allow-remote"),
        "{ended:?}"
    );
    assert!(!data.exists());
}

#[tokio::test]
async fn a_data_directory_of_an_earlier_build_is_refused_and_not_changed() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir_all(data.join("clickhouse/store")).unwrap();
    for command in [&["up"][..], &["dev", "clickhouse"]] {
        let ended = run(&on_free_port(command, &data), &[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = ended.stderr.lines().last().unwrap();
        assert!(
            line.contains("earlier build") && line.contains("--data-dir"),
            "{line}"
        );
        let left: Vec<_> = std::fs::read_dir(&data)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["clickhouse"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_of_clickhouse_query_the_engine_over_http_and_the_native_protocol() {
    let dir = tempdir().unwrap();
    let up = Process::up(dir.path()).await;
    up.publish((0..3).map(event)).await;
    up.settled().await;
    let ready: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("ready.json")).unwrap()).unwrap();
    let input = json!({
        "ready": ready,
        "statement": "SELECT user_id, count() FROM rollcall.messages GROUP BY user_id ORDER BY user_id",
    });
    let answer = tools::run("bin/python", ["query.py"], &tools::python(), Some(&input));
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let rows = json!([["u-0", 1], ["u-1", 1], ["u-2", 1]]);
    assert_eq!(answer, json!([rows, rows]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_no_output_of_the_engine() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let cases = [
        ("demo", "Ctrl-C stops it", &["--days", "3"][..]),
        ("up", "the API key is in the file", &[]),
    ];
    for (command, shown, options) in cases {
        let args = on_free_port(&["terminal.py", shown, ROLLCALL, command], &data);
        let args = [&args, options].concat();
        let screen = tokio::task::spawn_blocking({
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            move || tools::run("bin/python", args, &tools::python(), None)
        });
        let screen = String::from_utf8_lossy(&screen.await.unwrap()).into_owned();
        assert!(screen.contains(shown), "{command}: {screen}");
        for word in ["<Fatal>", "<Error>", "ThreadStatus"] {
            assert!(!screen.contains(word), "{command}: {screen}");
        }
        std::fs::remove_dir_all(&data).unwrap();
    }
}
