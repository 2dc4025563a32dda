//! What the faults happen to: a broker, the engine, two members of a group, and the API.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use consumer::GroupProtocol;
use events::TranscriptFilter;
use oracle::Oracle;
use rand::{RngExt, rngs::StdRng};
use tokio::time::{Instant, sleep};

use super::{
    fault::Fault,
    load::{FORBIDDEN, ORG},
    topic,
};
use crate::{
    harness::{Process, ROLLCALL, on_free_port, peak_memory, subdirectory, succeeds},
    kafka::Kafka,
    proxy::{Network, Proxy},
};

const KEY: &str = "k3y";
/// How long a process may take to end after SIGTERM.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The delay of a slow network.
const DELAY: Duration = Duration::from_millis(150);

/// All parts, each in a process of its own.
pub(crate) struct Stack {
    dir: PathBuf,
    session: Duration,
    protocol: GroupProtocol,
    pub(crate) kafka: Kafka,
    clickhouse: Option<Process>,
    to_clickhouse: Proxy,
    members: [Option<Process>; 2],
    pub(crate) api: Process,
}

impl Stack {
    /// Starts all parts; the members use the classic protocol. The group removes a member that is silent for as long as
    /// `session`.
    pub(crate) async fn start(session: Duration) -> Self {
        // Not removed if the test fails, so that the logs can be read.
        let dir = tempfile::Builder::new()
            .prefix("torture-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap()
            .keep();
        println!("torture: logs are in {}", dir.display());
        let kafka = Kafka::with_sessions(&dir, session).await;
        consumer::ensure_topics(&kafka.settings()).await.unwrap();
        let to_clickhouse = Proxy::start().await;
        let clickhouse = start_clickhouse(&dir, &to_clickhouse).await;
        let url = url(&to_clickhouse);
        let mut migrate = Command::new(ROLLCALL);
        let migrate = migrate.arg("migrate").env("ROLLCALL__CLICKHOUSE__URL", &url);
        succeeds(migrate.envs(clickhouse.clickhouse_login()));
        let rule = format!(
            "ALTER TABLE rollcall.messages ADD CONSTRAINT nothing_forbidden CHECK content != '{FORBIDDEN}'"
        );
        clickhouse.sql(&rule).await;
        let keys = format!("{KEY}=*");
        let variables = [
            ("ROLLCALL__CLICKHOUSE__URL", url.as_str()),
            ("ROLLCALL__AUTH__KEYS", &keys),
        ];
        let variables = [&variables[..], &clickhouse.clickhouse_login()].concat();
        let mut api = start(
            &dir,
            "serve",
            &["serve", "--http-addr", "127.0.0.1:0"],
            &variables,
        )
        .await;
        api.ready.api_key = Some(KEY.to_owned());
        let mut stack = Self {
            dir,
            session,
            protocol: GroupProtocol::Classic,
            kafka,
            clickhouse: Some(clickhouse),
            to_clickhouse,
            members: [None, None],
            api,
        };
        stack.start_members().await;
        stack
    }

    /// Starts both members of the group.
    pub(crate) async fn start_members(&mut self) {
        for index in 0..self.members.len() {
            self.start_member(index).await;
        }
    }

    /// Has the members use a protocol of groups, by restarting one after the other.
    pub(crate) async fn use_protocol(&mut self, protocol: GroupProtocol) {
        if self.protocol != protocol {
            self.protocol = protocol;
            for index in 0..self.members.len() {
                self.stop_member(index).await;
                self.start_member(index).await;
            }
        }
    }

    /// Ends a member by a signal.
    pub(crate) async fn end_member(&mut self, index: usize, signal: &str) {
        self.members[index].take().unwrap().signal(signal).await;
    }

    /// Starts a member that was ended.
    pub(crate) async fn start_member(&mut self, index: usize) {
        self.members[index] = Some(self.member(&name(index), &[]).await);
    }

    /// Asks both members to end, which they must do in time.
    pub(crate) async fn stop_members(&mut self) {
        for index in 0..self.members.len() {
            self.stop_member(index).await;
        }
    }

    /// The sum of a counter over both members; see [`Process::metric`].
    pub(crate) async fn metric(&self, start: &str) -> u64 {
        let mut sum = 0;
        for member in self.members.iter().flatten() {
            sum += member.metric(start).await;
        }
        sum
    }

    /// How often a member was assigned partitions.
    pub(crate) async fn assigned(&self, index: usize) -> u64 {
        let member = self.members[index].as_ref().unwrap();
        member.metric("rollcall_rebalances_total{kind=\"assigned\"").await
    }

    /// Whether the log of a member contains this text.
    pub(crate) fn logged(&self, text: &str) -> bool {
        (0..self.members.len()).any(|index| {
            let log = fs::read_to_string(self.dir.join(name(index)).join("log")).unwrap();
            log.contains(text)
        })
    }

    /// Inflicts a fault for this long.
    pub(crate) async fn inflict(&mut self, fault: Fault, duration: Duration, random: &mut StdRng) {
        let index = random.random_range(0..self.members.len());
        match fault {
            Fault::IngestKilled => {
                self.end_member(index, "KILL").await;
                sleep(duration).await;
                self.start_member(index).await;
            }
            Fault::IngestStopped => {
                let member = self.members[index].as_ref().unwrap();
                member.send("STOP");
                sleep(self.session + duration).await;
                member.send("CONT");
            }
            Fault::IngestRestarted => {
                self.stop_member(index).await;
                sleep(duration).await;
                self.start_member(index).await;
            }
            Fault::GroupRebalanced => {
                let third = self.member("ingest-third", &[]).await;
                sleep(duration).await;
                assert!(third.signal("TERM").await.success());
            }
            Fault::ClickHouseKilled | Fault::ClickHouseRestarted => {
                let signal = if fault == Fault::ClickHouseKilled {
                    "KILL"
                } else {
                    "TERM"
                };
                self.clickhouse.take().unwrap().signal(signal).await;
                sleep(duration).await;
                self.clickhouse = Some(start_clickhouse(&self.dir, &self.to_clickhouse).await);
            }
            Fault::ClickHouseStopped => {
                let clickhouse = self.clickhouse.as_ref().unwrap();
                clickhouse.send_engine("STOP");
                // Longer than an insert may take: see `Stack::member`.
                sleep(duration * 2).await;
                clickhouse.send_engine("CONT");
            }
            Fault::BrokerKilled | Fault::BrokerRestarted => {
                let signal = if fault == Fault::BrokerKilled {
                    "KILL"
                } else {
                    "TERM"
                };
                self.kafka.end(signal).await;
                sleep(duration).await;
                self.kafka.resume().await;
            }
            Fault::BrokerStopped => {
                self.kafka.send("STOP");
                sleep(duration * 2).await;
                self.kafka.send("CONT");
            }
            Fault::ClickHouseCut => disturb(&self.to_clickhouse, Network::Cut, duration).await,
            Fault::ClickHouseSlow => disturb(&self.to_clickhouse, Network::Slow(DELAY), duration * 2).await,
            Fault::ClickHouseSilent => disturb(&self.to_clickhouse, Network::Silent, duration * 2).await,
            Fault::BrokerCut => disturb(&self.kafka.faulty, Network::Cut, duration).await,
            Fault::BrokerSlow => disturb(&self.kafka.faulty, Network::Slow(DELAY), duration * 2).await,
            Fault::BrokerSilent => disturb(&self.kafka.faulty, Network::Silent, duration * 2).await,
            Fault::LogTruncated | Fault::TopicRecreated => self.lose_records(fault).await,
        }
    }

    /// Loses records, and the dead letters, with which those that are left are compared once they are read again.
    async fn lose_records(&mut self, fault: Fault) {
        let settings = self.kafka.settings();
        self.stop_members().await;
        topic::delete(&settings, &settings.dead_letter_topic).await;
        if fault == Fault::LogTruncated {
            self.kafka.end("KILL").await;
            self.kafka.truncate(&settings.topic);
            self.kafka.resume().await;
        } else {
            topic::delete(&settings, &settings.topic).await;
        }
        consumer::ensure_topics(&settings).await.unwrap();
        self.start_members().await;
    }

    /// Makes ClickHouse unreachable for this long.
    pub(crate) async fn lose_clickhouse(&self, duration: Duration) {
        disturb(&self.to_clickhouse, Network::Cut, duration).await;
    }

    /// The peak memory of any member so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let members = self.members.iter().flatten();
        members.map(|member| peak_memory(member.pid())).max().unwrap()
    }

    /// How many parts each table has, the most first.
    pub(crate) async fn parts(&self) -> Vec<(String, u64)> {
        let statement = "SELECT table, count() FROM system.parts WHERE active AND database = 'rollcall' \
                        GROUP BY table ORDER BY count() DESC, table FORMAT TabSeparated";
        let answer = self.clickhouse.as_ref().unwrap().sql(statement).await;
        answer
            .lines()
            .map(|line| {
                let (table, parts) = line.split_once('\t').unwrap();
                (table.to_owned(), parts.parse().unwrap())
            })
            .collect()
    }

    /// How many messages the oracle and the rollups count in all conversations.
    pub(crate) async fn messages(&self, oracle: &Oracle) -> (u64, u64) {
        let expected = oracle.transcripts(ORG, &TranscriptFilter::default());
        let listed = self.api.ask(ORG, "transcripts/").await;
        let found = listed.as_array().unwrap().iter();
        (
            expected
                .iter()
                .map(|conversation| conversation.message_count)
                .sum(),
            found.map(|item| item["message_count"].as_u64().unwrap()).sum(),
        )
    }

    /// Ends all parts, each of which must succeed, and removes the logs.
    pub(crate) async fn end(mut self) {
        self.stop_members().await;
        assert!(self.api.signal("TERM").await.success());
        assert!(self.clickhouse.take().unwrap().signal("TERM").await.success());
        self.kafka.end("KILL").await;
        fs::remove_dir_all(&self.dir).unwrap();
    }

    /// Asks a member to end, which it must do in time.
    async fn stop_member(&mut self, index: usize) {
        let asked_at = Instant::now();
        let ended = self.members[index].take().unwrap().signal("TERM").await;
        let took = asked_at.elapsed();
        assert!(
            ended.success() && took < SHUTDOWN_TIMEOUT,
            "{ended} after {took:?}"
        );
    }

    /// Starts an `ingest`, with further variables of the environment.
    pub(crate) async fn member(&self, name: &str, further: &[(&str, &str)]) -> Process {
        // A member of the classic protocol has sessions of at most its max.poll.interval.ms.
        let session = self.session.min(Duration::from_secs(30)).as_millis().to_string();
        let protocol = match self.protocol {
            GroupProtocol::Classic => (
                "ROLLCALL__KAFKA__PROPERTIES__SESSION_TIMEOUT_MS",
                session.as_str(),
            ),
            GroupProtocol::Consumer => ("ROLLCALL__KAFKA__GROUP_PROTOCOL", "consumer"),
        };
        let servers = self.kafka.faulty.address().to_string();
        let url = url(&self.to_clickhouse);
        let credentials = self.clickhouse.as_ref().unwrap().clickhouse_login();
        let variables = [
            ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str()),
            protocol,
            ("ROLLCALL__CLICKHOUSE__URL", &url),
            ("ROLLCALL__CLICKHOUSE__INSERT_TIMEOUT_SECS", "2"),
            ("ROLLCALL__LOG__FILTER", "info"),
        ];
        start(
            &self.dir,
            name,
            &["ingest", "--http-addr", "127.0.0.1:0"],
            &[&variables, &credentials[..], further].concat(),
        )
        .await
    }
}

/// The name of a member.
fn name(index: usize) -> String {
    format!("ingest-{index}")
}

fn url(to_clickhouse: &Proxy) -> String {
    format!("http://{}", to_clickhouse.address())
}

async fn disturb(proxy: &Proxy, network: Network, duration: Duration) {
    proxy.set(network);
    sleep(duration).await;
    proxy.set(Network::Normal);
}

async fn start_clickhouse(dir: &Path, proxy: &Proxy) -> Process {
    let data = dir.join("clickhouse-data");
    let args = on_free_port(&["dev", "clickhouse"], &data);
    let process = start(dir, "clickhouse", &args, &[]).await;
    let url: reqwest::Url = process.ready.clickhouse_url.as_deref().unwrap().parse().unwrap();
    proxy.retarget(url.socket_addrs(|| None).unwrap()[0]);
    process
}

/// Starts `rollcall`, with its log in a file of that name.
async fn start(dir: &Path, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Process {
    let dir = subdirectory(dir, name);
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .unwrap();
    Process::start_logging(&dir, args, variables, log.into()).await
}
