//! A bad setting ends the program before it binds anything, with one line that names the setting.

use std::{net::TcpListener, time::Instant};

use tempfile::tempdir;

use super::{Ended, run};
use crate::harness::on_free_port;

/// Asserts that a command failed, with one line that names the culprit.
fn assert_refused(ended: &Ended, culprit: &str, what: &str) {
    assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
    assert_eq!(ended.stdout, "", "{what}");
    assert_eq!(ended.stderr.lines().count(), 1, "{what}: {}", ended.stderr);
    assert!(ended.stderr.contains(culprit), "{what}: {}", ended.stderr);
    assert!(!ended.stderr.contains("s3cret"), "{what}: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_variable_is_named() {
    // Binding this address would fail, and name http.addr.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let data = tempdir().unwrap();
    let data = data.path().join("data");
    let args = ["up", "--data-dir", data.to_str().unwrap()];
    for (variable, value, culprit) in [
        ("HTTP__ADDR", "nonsense", "http.addr"),
        ("HTTP__ADDR", "127.0.0.1", "http.addr"),
        ("HTTP__ADDR", "127.0.0.1:99999", "http.addr"),
        ("HTTP__PREFIX", "dm", "http.prefix"),
        ("HTTP__PREFIX", "/a//b", "http.prefix"),
        ("HTTP__QUERY_TIMEOUT_SECS", "soon", "http.query_timeout_secs"),
        ("HTTP__QUERY_TIMEOUT_SECS", "-1", "http.query_timeout_secs"),
        ("HTTP__QUERY_TIMEOUT_SECS", "0", "http.query_timeout_secs"),
        ("HTTP__CONCURRENT_QUERIES", "0", "http.concurrent_queries"),
        ("HTTP__CONCURRENT_LISTS", "0", "http.concurrent_lists"),
        ("HTTP__REQUESTS_PER_KEY", "0", "http.requests_per_key"),
        ("KAFKA__BOOTSTRAP_SERVERS", "", "kafka.bootstrap_servers"),
        ("KAFKA__TOPIC", "", "kafka.topic"),
        ("KAFKA__TOPIC", "a b", "kafka.topic"),
        (
            "KAFKA__DEAD_LETTER_TOPIC",
            "chat.events",
            "kafka.dead_letter_topic",
        ),
        ("KAFKA__GROUP_ID", " ", "kafka.group_id"),
        ("KAFKA__GROUP_PROTOCOL", "eager", "kafka.group_protocol"),
        (
            "KAFKA__GROUP_PROTOCOL",
            "consumer",
            "kafka.group_protocol: the embedded broker",
        ),
        (
            "KAFKA__PROPERTIES__GROUP_PROTOCOL",
            "consumer",
            "may not be set: use kafka.group_protocol",
        ),
        ("KAFKA__BATCH_RECORDS", "0", "kafka.batch_records"),
        ("KAFKA__BATCH_RECORDS", "1.5", "kafka.batch_records"),
        ("KAFKA__BATCH_BYTES", "16MB", "kafka.batch_bytes"),
        ("KAFKA__BUDGET_BYTES", "1", "kafka.budget_bytes"),
        (
            "KAFKA__MAX_RECORD_BYTES",
            "1000000000000",
            "kafka.max_record_bytes",
        ),
        ("KAFKA__CREATE_TOPICS", "perhaps", "kafka.create_topics"),
        ("KAFKA__PARTITIONS", "70000", "kafka.partitions"),
        ("KAFKA__PROPERTIES__ACKS", "1", "kafka.properties.acks"),
        ("KAFKA__PROPERTIES__GROUP_ID", "x", "kafka.properties.group.id"),
        (
            "KAFKA__PROPERTIES__STATISTICS_INTERVAL_MS",
            "60000",
            "kafka.properties.statistics.interval.ms",
        ),
        (
            "KAFKA__PROPERTIES__TRANSACTIONAL_ID",
            "x",
            "kafka.properties.transactional.id",
        ),
        (
            "KAFKA__PROPERTIES__SESSION_TIMEOUT_MS",
            "60000",
            "kafka.properties.session.timeout.ms",
        ),
        ("KAFKA__PROPERTIES__NO_SUCH", "s3cret", "kafka.properties.no.such"),
        (
            "KAFKA__PROPERTIES__SOCKET_TIMEOUT_MS",
            "s3cret",
            "kafka.properties.socket.timeout.ms",
        ),
        ("KAFKA__TOPPIC", "x", "toppic"),
        ("CLICKHOUSE__URL", "localhost:8123", "clickhouse.url"),
        ("CLICKHOUSE__URL", "http://", "clickhouse.url"),
        ("CLICKHOUSE__DATABASE", "", "clickhouse.database"),
        ("AUTH__KEYS", "s3cret", "auth.keys"),
        ("AUTH__KEYS", "s3cret=a b", "auth.keys"),
        ("AUTH__ORGS", "a b", "auth.orgs"),
        ("LOG__FORMAT", "xml", "log.format"),
        ("LOG__FILTER", "a=b=c", "log.filter"),
        ("LOG__FILTER", "verbose", "log.filter: \"verbose\""),
        ("LOG__FILTER", "rolcall=debug", "log.filter: \"rolcall=debug\""),
        ("NO_SUCH__SETTING", "x", "no_such"),
        ("NO_SUCH__SETTING", "x", "ROLLCALL__NO_SUCH__SETTING"),
        ("KAFKA__TOPPIC", "x", "ROLLCALL__KAFKA__TOPPIC"),
        ("LOG_FILTER", "x", "ROLLCALL__LOG_FILTER"),
        ("KAFKA__PARTITIONS", "0", "ROLLCALL__KAFKA__PARTITIONS"),
        (
            "KAFKA__PROPERTIES__SOCKET__NO_SUCH",
            "x",
            "kafka.properties.socket.no.such",
        ),
    ] {
        let name = format!("ROLLCALL__{variable}");
        let mut variables = vec![("ROLLCALL__HTTP__ADDR", addr.as_str())];
        variables.push((&name, value));
        let ended = run(&args, &variables).await;
        assert_refused(&ended, culprit, &format!("{name}={value}"));
        assert!(!data.exists(), "{name}={value}: it has started already");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_named_with_what_is_wrong_in_it() {
    let dir = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let path = dir.path().join("settings.toml");
    let args = ["serve", "--http-addr", &addr, "--config", path.to_str().unwrap()];
    for (toml, culprit) in [
        ("[kafka]\ntoppic = \"x\"\n", "toppic"),
        ("[kakfa]\ntopic = \"x\"\n", "kakfa"),
        ("[kafka]\ntopic = 7.5\ngroup_id = []\n", "kafka.group_id"),
        ("[kafka]\nbatch_records = \"many\"\n", "kafka.batch_records"),
        ("[kafka]\nbatch_records = -1\n", "kafka.batch_records"),
        ("kafka = 1\n", "kafka"),
        ("[http]\naddr = 8080\n", "http.addr"),
        ("[http]\nprefix = \"dm\"\n", "http.prefix"),
        ("[auth]\nkeys = \"s3cret\"\n", "auth.keys"),
        (
            "[kafka.properties]\n\"group.id\" = \"x\"\n",
            "kafka.properties.group.id",
        ),
        (
            "[kafka]\ngroup_protocol = \"consumer\"\n[kafka.properties]\n\"session.timeout.ms\" = \"6000\"\n",
            "kafka.properties.session.timeout.ms may not be set: with kafka.group_protocol",
        ),
        (
            "[kafka.properties]\n\"no.such.property\" = \"x\"\n",
            "no.such.property",
        ),
        (
            "[kafka.properties]\n\"socket.timeout.ms\" = \"soon\"\n",
            "socket.timeout.ms",
        ),
        (
            "[kafka.properties]\nsecurity.protocol = \"no-such\"\n",
            "kafka.properties.security.protocol has a value",
        ),
        (
            "[kafka]\ntoppic = \"x\"\n",
            "settings.toml: unknown field `toppic`",
        ),
        ("[kakfa]\ntopic = \"x\"\n", "settings.toml: unknown field `kakfa`"),
        ("[kafka\n", "settings.toml"),
    ] {
        std::fs::write(&path, toml).unwrap();
        let ended = run(&args, &[]).await;
        assert_refused(&ended, culprit, toml);
    }
    std::fs::remove_file(&path).unwrap();
    assert_refused(&run(&args, &[]).await, "settings.toml", "no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_argument_is_named() {
    let dir = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let data = dir.path().join("data");
    let up = ["up", "--http-addr", &addr, "--data-dir", data.to_str().unwrap()];
    for (more, culprit) in [
        (["--clickhouse", "localhost:8123"], "clickhouse.url"),
        (["--kafka", ""], "kafka.bootstrap_servers"),
    ] {
        let ended = run(&[&up[..], &more].concat(), &[]).await;
        assert_refused(&ended, culprit, culprit);
        assert!(!data.exists(), "{culprit}: it has started already");
    }
    // The arguments themselves are checked by the parser, whose message has more lines.
    for (args, culprit) in [
        (&["up", "--http-addr", "nonsense"][..], "--http-addr"),
        (&["serve", "--no-such"], "--no-such"),
        (&["produce"], "<FILE>"),
        (&["demo", "--days", "0"], "--days"),
        (&["demo", "--rate=-5"], "--rate"),
        (&["demo", "--rate=nan"], "--rate"),
        (&["demo", "--rate=inf"], "--rate"),
        (&["demo", "--rate=1e9"], "--rate"),
        (&["produce", "--ready-file", "x", "-"], "--ready-file"),
        (&["migrate", "--ready-file", "x"], "--ready-file"),
        (&["nonsense"], "nonsense"),
    ] {
        let ended = run(args, &[]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(culprit), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_before_anything_starts() {
    let dir = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let data = dir.path().join("data");
    let (data, began) = (data.to_str().unwrap(), Instant::now());
    for command in [&["up"][..], &["serve"], &["ingest"], &["dev", "clickhouse"]] {
        let args = [command, &["--http-addr", &addr, "--data-dir", data]].concat();
        let ended = run(&args, &[]).await;
        assert_refused(&ended, "http.addr", command[0]);
        assert!(ended.stderr.contains(&addr), "{ended:?}");
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    assert!(
        !dir.path().join("data/clickhouse").exists(),
        "the engine has started already"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_has_a_port_of_its_own_by_default() {
    // Where one is in use already, that is as good.
    let _taken = [8080, 8081, 8123].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let dir = tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for (command, port) in [
        (&["serve"][..], 8080),
        (&["up"], 8080),
        (&["ingest"], 8081),
        (&["dev", "clickhouse"], 8123),
    ] {
        let ended = run(&[command, &["--data-dir", data]].concat(), &[]).await;
        assert_refused(&ended, &format!("127.0.0.1:{port}"), command[0]);
    }
    // The address of the API is not that of an engine.
    let config = dir.path().join("settings.toml");
    std::fs::write(&config, "[http]\naddr = \"localhost:9\"\n").unwrap();
    let dev = ["dev", "clickhouse", "--data-dir", data, "--config"];
    let ended = run(&[&dev[..], &[config.to_str().unwrap()]].concat(), &[]).await;
    assert_refused(&ended, "127.0.0.1:8123", "dev clickhouse with http.addr");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_written_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("inside");
    let ended = run(&on_free_port(&["up"], &inside), &[]).await;
    assert_refused(&ended, "data directory", "data directory");
    let serve = ["serve", "--http-addr", "127.0.0.1:0"];
    let ended = run(
        &[&serve[..], &["--ready-file", inside.to_str().unwrap()]].concat(),
        &[("ROLLCALL__LOG__FILTER", "off")],
    )
    .await;
    assert_refused(&ended, "--ready-file", "ready file");
}
