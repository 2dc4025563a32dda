//! What `docs/outbox.md` says, on a real PostgreSQL, with Debezium in Kafka Connect.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::tempdir;
use testbed::free_ports;

use crate::{
    examples,
    harness::{Process, Running, root, subdirectory, succeeds, until},
};

/// Whoever runs PostgreSQL where the test runs as root, which it refuses: `nobody` of any Linux.
const NOBODY: u32 = 65534;

/// The user of Debezium, with no more rights than the page says.
const DEBEZIUM: &str = "CREATE USER debezium REPLICATION; GRANT SELECT ON chat_outbox TO debezium;";

/// The events of the examples but the message of the page. The first is there before Debezium is.
const BEFORE: &str = r#"
INSERT INTO chat_outbox (id, type, time, org, key, data) VALUES
('registered:ada', 'chat.user.registered.v1', '2025-03-01T08:00:00Z', 'acme', 'acme:ada',
 '{"user_id": "ada", "registered_at": "2025-03-01T08:00:00Z"}');
"#;
const AFTER: &str = r#"
INSERT INTO chat_outbox (id, type, time, org, key, data) VALUES
('registered:emmy', 'chat.user.registered.v1', '2025-03-03T09:00:00Z', 'acme', 'acme:emmy',
 '{"user_id": "emmy", "registered_at": "2025-03-03T09:00:00Z"}'),
('c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02', 'chat.message.created.v1', '2025-03-03T10:30:04.500+01:00', 'acme', 'acme:ada',
 '{"message_id": "c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02", "conversation_id": "0855d97f-6033-411a-b1ae-d8cb596c412a",
   "role": "assistant", "user_id": "ada", "mentor_id": "euclid", "content": "Yes, an \"abelian\" one.", "model": "tutor-1"}'),
('annotated', 'chat.conversation.annotated.v1', '2025-03-03T10:00:00Z', 'acme', 'acme:ada',
 '{"conversation_id": "0855d97f-6033-411a-b1ae-d8cb596c412a", "topics": [{"name": "group theory"}, {"name": "algebra"}],
   "user_sentiment": "positive", "annotated_at": "2025-03-03T10:00:00Z"}');
"#;

/// A PostgreSQL whose log Debezium can read.
struct Postgres {
    port: String,
    bin: PathBuf,
    _running: Running,
}

impl Postgres {
    async fn start(dir: &Path) -> Self {
        let [address] = free_ports();
        let (port, bin) = (address.port().to_string(), programs());
        let is_root = rustix::process::geteuid().is_root();
        let program = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command.current_dir("/").stdin(Stdio::null());
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let data = subdirectory(dir, "postgres");
        if is_root {
            chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
            fs::set_permissions(dir, Permissions::from_mode(0o711)).unwrap();
        }
        succeeds(
            program("initdb")
                .args(["--username=postgres", "--auth=trust", "--no-sync", "--pgdata"])
                .arg(&data),
        );
        let child = program("postgres")
            .args(["-p", &port, "-D"])
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "wal_level=logical", "-c", "timezone=Asia/Tokyo"])
            .spawn()
            .unwrap();
        let postgres = Self {
            port,
            bin,
            _running: Running(child),
        };
        until("PostgreSQL answers", async || {
            let answers = postgres.psql().args(["-c", "SELECT 1"]).output().unwrap();
            answers.status.success().then_some(())
        })
        .await;
        postgres
    }

    fn psql(&self) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port,
                "-U",
                "postgres",
                "--no-psqlrc",
            ])
            .args(["-v", "ON_ERROR_STOP=1", "--single-transaction"])
            .stdin(Stdio::null());
        command
    }

    /// Runs statements in one transaction.
    fn run(&self, statements: &str) {
        succeeds(self.psql().args(["-c", statements]));
    }
}

/// Where the programs of the server are: Debian keeps them out of the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").ok();
    let bins = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    let newest = bins.filter(|bin| bin.join("postgres").exists()).max();
    newest.expect("PostgreSQL is installed in /usr/lib/postgresql, as by Debian's package")
}

/// Kafka Connect with the connector.
async fn connect(dir: &Path, servers: &str, connector: &Value) -> Running {
    let installation = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debezium");
    testbed::installed_by_maven(&installation, include_bytes!("debezium/pom.xml"));
    let [rest] = free_ports();
    // The converters that suit the connector least: its own are to hold.
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let worker = format!(
        "bootstrap.servers={servers}\n\
         listeners=http://{rest}\n\
         key.converter={json}\n\
         value.converter={json}\n\
         header.converter={json}\n\
         offset.storage.file.filename={}\n",
        dir.join("offsets").display(),
    );
    fs::write(dir.join("worker.properties"), worker).unwrap();
    fs::write(dir.join("connector.json"), connector.to_string()).unwrap();
    let child = Command::new("java")
        .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg(format!("-Djava.io.tmpdir={}", dir.display()))
        .arg("-cp")
        .arg(installation.join("lib/*"))
        .arg("org.apache.kafka.connect.cli.ConnectStandalone")
        .args(["worker.properties", "connector.json"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let running = Running(child);
    let status = format!("http://{rest}/connectors/chat-outbox/status");
    until("the connector runs", async || {
        let answer: Value = reqwest::get(&status).await.ok()?.json().await.ok()?;
        let state = &answer["tasks"][0]["state"];
        assert_ne!(*state, "FAILED", "{answer}");
        (*state == "RUNNING").then_some(())
    })
    .await;
    running
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL, which CI has not"]
async fn what_a_database_commits_to_its_outbox_is_published() {
    let page = fs::read_to_string(root().join("docs/outbox.md")).unwrap();
    let blocks = |language: &str| {
        let begin = format!("```{language}\n");
        let blocks = page.split(&begin).skip(1);
        blocks
            .map(|rest| rest.split("```").next().unwrap())
            .collect::<Vec<_>>()
    };
    let [tables, message] = blocks("sql")[..] else {
        panic!("the page has two blocks of SQL");
    };
    let mut connector: Value = serde_json::from_str(blocks("json")[0]).unwrap();

    let dir = tempdir().unwrap();
    let process = Process::up(dir.path()).await;
    let postgres = Postgres::start(dir.path()).await;
    postgres.run(tables);
    postgres.run(DEBEZIUM);
    postgres.run(BEFORE);
    let config = &mut connector["config"];
    config["database.hostname"] = json!("127.0.0.1");
    config["database.port"] = json!(postgres.port);
    config["database.dbname"] = json!("postgres");
    let servers = process.ready.bootstrap_servers.as_deref().unwrap();
    let _connect = connect(dir.path(), servers, &connector).await;
    postgres.run(message);
    postgres.run(AFTER);

    until("all events are there", async || {
        let records = process.metric("rollcall_records_total").await;
        (records == examples::EVENTS).then_some(())
    })
    .await;
    process.settled().await;
    let kept = process.metric("rollcall_records_total{outcome=\"kept\"").await;
    assert_eq!(kept, examples::EVENTS);
    examples::assert_answers(&process, "acme").await;
}
