//! Rejected records are published again after a fix, and nothing else changes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::Command,
};

use consumer::{Settings, Stored};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};
use tempfile::tempdir;

use crate::{
    harness::{DEADLINE, Parts, Process, ROLLCALL, on_free_port, subdirectory, succeeds, until},
    history::{event, questions},
    kafka::Kafka,
    oracle::{
        question::compare,
        wire::{Spelling, record},
    },
    records::{Record, read_all},
};

const ORG: &str = "again";
const EVENTS: u32 = 400;
/// One good event in this many is too large for the first `ingest`.
const LARGE: u32 = 10;
const BROKEN: usize = 7;

/// A good event; one in [`LARGE`] is padded beyond what the first `ingest` accepts.
fn good(number: u32) -> Record {
    let mut record = record(&event(ORG, number), Spelling::default());
    record.key = Some(format!("key-{number}").into());
    record.headers.push(("trace".to_owned(), Some(vec![0xff, 0])));
    record.headers.push(("trace".to_owned(), None));
    if number.is_multiple_of(LARGE) {
        record
            .headers
            .push(("padding".to_owned(), Some(vec![b'x'; 4_000])));
    }
    record
}

async fn read(process: &Process, topic: &str) -> Vec<Stored> {
    read_all(&process.kafka(), topic).await
}

/// What `rollcall replay --dead-letters` prints.
fn replay(parts: &Parts, args: &[&str]) -> String {
    succeeds(parts.command(&["replay", "--dead-letters"]).args(args))
}

/// How many records there are of each key, headers, value and partition.
fn tally(records: &[Stored]) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for record in records {
        let whole = format!(
            "{:?}",
            (record.partition(), record.key(), record.headers(), record.value())
        );
        *tally.entry(whole).or_default() += 1;
    }
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_to_the_topic_they_came_from_after_a_fix() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let api = parts.serve(&[]).await;
    let ingest = parts
        .ingest(&[("ROLLCALL__KAFKA__MAX_RECORD_BYTES", "3000")])
        .await;
    let topic = parts.kafka.ready.topic.clone().unwrap();
    let dead_letter_topic = parts.kafka.ready.dead_letter_topic.clone().unwrap();
    let broken = (0..BROKEN).map(|_| Record::structured("{"));
    parts
        .kafka
        .publish_records((0..EVENTS).map(good).chain(broken))
        .await;
    ingest.settled().await;
    assert!(ingest.signal("TERM").await.success());
    let originals = read(&parts.kafka, &topic).await;
    let letters = usize::try_from(EVENTS / LARGE).unwrap() + BROKEN;
    assert_eq!(read(&parts.kafka, &dead_letter_topic).await.len(), letters);

    let printed = replay(&parts, &["--dry-run"]);
    assert_eq!(
        printed,
        "would replay 47 dead letters: malformed_json 7, record_too_large 40, left alone 0\n"
    );
    assert_eq!(read(&parts.kafka, &topic).await.len(), originals.len());
    let printed = replay(&parts, &["--reason", "record_too_large"]);
    assert_eq!(
        printed,
        "replayed 40 dead letters: record_too_large 40, left alone 7\n"
    );

    // The fix: larger records are accepted.
    let ingest = parts.ingest(&[]).await;
    let printed = replay(&parts, &[]);
    assert_eq!(
        printed,
        "replayed 47 dead letters: malformed_json 7, record_too_large 40, left alone 0\n"
    );
    ingest.settled().await;
    let mut oracle = oracle::Oracle::default();
    (0..EVENTS).for_each(|number| oracle.add(&event(ORG, number)));
    compare(&api, &oracle, ORG, &questions()).await.unwrap();

    // Each was published again as it was: the large ones twice, the broken ones once.
    let mut expected = tally(&originals);
    for (whole, count) in &mut expected {
        let (large, broken) = (whole.contains("padding"), whole.contains("Some([123])"));
        *count += match (large, broken) {
            (true, _) => 2,
            // All the broken ones of one partition are equal.
            (_, true) => *count,
            _ => 0,
        };
    }
    assert_eq!(tally(&read(&parts.kafka, &topic).await), expected);

    // What is still broken was dead-lettered again, and waits for the next replay.
    let printed = replay(&parts, &[]);
    assert_eq!(
        printed,
        "replayed 7 dead letters: malformed_json 7, left alone 0\n"
    );
    ingest.settled().await;
    let printed = replay(&parts, &["--from-beginning", "--dry-run"]);
    assert!(printed.starts_with("would replay 61 dead letters:"), "{printed}");
    assert!(ingest.signal("TERM").await.success());
}

/// What only Apache Kafka has: topics with limits.
struct Limits {
    settings: Settings,
    admin: AdminClient<DefaultClientContext>,
    producer: BaseProducer,
}

impl Limits {
    fn new(kafka: &Kafka) -> Self {
        let settings = kafka.settings();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &settings.bootstrap_servers);
        let admin = config.create().unwrap();
        let producer = config.set("message.max.bytes", "10000000").create().unwrap();
        Self {
            settings,
            admin,
            producer,
        }
    }

    /// Sets all limits of a topic that are not at their defaults.
    async fn limit(&self, topic: &str, limits: &[(&str, &str)]) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let change = limits
            .iter()
            .fold(change, |change, (name, value)| change.set(name, value));
        let changed = self.admin.alter_configs([&change], &AdminOptions::new()).await;
        assert!(changed.unwrap().iter().all(Result::is_ok));
    }

    /// The largest batch that a topic takes, once there is one of that name.
    async fn max_message_bytes(&self, topic: &str) -> usize {
        until("the topic has settings", async || {
            let topic = ResourceSpecifier::Topic(topic);
            let answers = self.admin.describe_configs([&topic], &AdminOptions::new()).await;
            let config = answers.unwrap().remove(0).ok()?;
            config.get("max.message.bytes")?.value.as_ref()?.parse().ok()
        })
        .await
    }

    fn publish(&self, topic: &str, value: &[u8], headers: &[(&str, &str)], timestamp: Option<i64>) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(*value),
            })
        });
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .key(b"key".as_slice())
            .payload(value)
            .headers(headers);
        record.timestamp = timestamp;
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(DEADLINE).unwrap();
    }
}

/// What is appended to a record that came from a topic that does not exist.
const FROM_A_TOPIC_THAT_IS_GONE: [(&str, &str); 6] = [
    ("rollcall_reason", "malformed"),
    ("rollcall_reason_code", "malformed_json"),
    ("rollcall_topic", "gone.events"),
    ("rollcall_partition", "0"),
    ("rollcall_offset", "0"),
    ("rollcall_timestamp", "0"),
];

/// Bytes that no codec makes smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_limits_of_a_topic_let_through_is_dead_lettered_and_replayed_and_the_rest_is_told() {
    const OLD: i64 = 1_600_000_000_000;
    const LARGE: usize = 4_500_000;
    let dir = tempdir().unwrap();
    let kafka = Kafka::start(dir.path()).await;
    let limits = Limits::new(&kafka);
    let Settings {
        topic,
        dead_letter_topic,
        bootstrap_servers: servers,
        ..
    } = &limits.settings;
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "5242880");
    let created = limits.admin.create_topics([&new], &AdminOptions::new()).await;
    assert!(created.unwrap().iter().all(Result::is_ok));

    let data = dir.path().join("clickhouse");
    let engine = on_free_port(&["dev", "clickhouse"], &data);
    let clickhouse = Process::start(&subdirectory(dir.path(), "engine"), &engine, &[]).await;
    let url = clickhouse.ready.clickhouse_url.as_deref().unwrap();
    let [user, password] = clickhouse.clickhouse_login();
    let variables = [
        ("ROLLCALL__KAFKA__BOOTSTRAP_SERVERS", servers.as_str()),
        ("ROLLCALL__CLICKHOUSE__URL", url),
        user,
        password,
    ];
    let command = |args: &[&str]| succeeds(Command::new(ROLLCALL).args(args).envs(variables));
    command(&["migrate"]);
    let log = dir.path().join("log");
    let ingest = start_ingest(dir.path(), &variables, &log).await;
    // It was created so that it takes whatever the event topic takes.
    assert!(limits.max_message_bytes(dead_letter_topic).await >= 5_242_880 + (64 << 10));
    let (whole, cut) = (noise(1, LARGE), noise(2, LARGE));
    limits.publish(topic, &whole, &[], None);
    ingest.settled().await;

    // One that others have made takes less.
    limits
        .limit(dead_letter_topic, &[("max.message.bytes", "2097152")])
        .await;
    limits.publish(topic, &cut, &[("trace", "own")], None);
    for _ in 0..BROKEN {
        limits.publish(topic, b"{", &[], Some(OLD));
    }
    ingest.settled().await;
    let letters = read_all(&limits.settings, dead_letter_topic).await;
    assert_eq!(letters.len(), 2 + BROKEN);
    assert_eq!(letters[0].value(), Some(whole.as_slice()));
    let letter = letters
        .iter()
        .find(|letter| letter.headers().unwrap()[0].0 == "trace")
        .unwrap();
    let kept = letter.value().unwrap();
    assert!(
        cut.starts_with(kept) && kept.len() > 2_000_000,
        "{} bytes",
        kept.len()
    );
    assert_eq!(letter.key(), Some(&b"key"[..]));
    let headers: BTreeMap<_, _> = letter.headers().unwrap().into_iter().collect();
    assert_eq!(headers["rollcall_offset"], Some(&b"1"[..]));
    assert_eq!(headers["rollcall_cut_from_bytes"], Some(&b"4500011"[..]));
    assert!(fs::read_to_string(&log).unwrap().contains("a dead letter is cut"));

    limits.publish(dead_letter_topic, b"{", &FROM_A_TOPIC_THAT_IS_GONE, None);
    // Neither old nor large records are taken any more.
    let refusals = [
        ("message.timestamp.before.max.ms", "3600000"),
        ("max.message.bytes", "1048576"),
    ];
    limits.limit(topic, &refusals).await;
    let replay = |args: &[&str]| command(&[&["replay", "--dead-letters"], args].concat());
    assert_eq!(
        replay(&[]),
        "replayed 7 dead letters: malformed_json 7, left alone 3\n\
         left alone 1: cut, as they were too large for the dead-letter topic: see the log for where the records are\n\
         left alone 1: from gone.events, not chat.events: --from-beginning --any-topic publishes them there\n\
         left alone 1: refused by chat.events: see the log for why\n"
    );
    ingest.settled().await;
    let records = read_all(&limits.settings, topic).await;
    let mut timestamps: Vec<_> = records.iter().filter_map(Stored::timestamp).collect();
    let present = timestamps.split_off(2 + BROKEN);
    assert!(present.len() == BROKEN && present.iter().all(|timestamp| *timestamp > OLD));

    // What was rejected again, and nothing that was replayed or left alone.
    assert_eq!(
        replay(&["--dry-run"]),
        "would replay 7 dead letters: malformed_json 7, left alone 0\n"
    );
    let all = replay(&["--dry-run", "--from-beginning", "--any-topic"]);
    assert!(
        all.contains("left alone 1: from gone.events, which does not exist\n"),
        "{all}"
    );
    assert!(ingest.signal("TERM").await.success());

    // An operator is told before it happens.
    limits.limit(topic, &[("max.message.bytes", "5242880")]).await;
    let ingest = start_ingest(dir.path(), &variables, &log).await;
    until("the small dead-letter topic is told of", async || {
        let log = fs::read_to_string(&log).unwrap();
        log.contains("larger dead letters are cut").then_some(())
    })
    .await;
    assert!(ingest.signal("TERM").await.success());
}

async fn start_ingest(dir: &Path, variables: &[(&str, &str)], log: &Path) -> Process {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let dir = subdirectory(dir, "ingest");
    Process::start_logging(
        &dir,
        &["ingest", "--http-addr", "127.0.0.1:0"],
        variables,
        log.into(),
    )
    .await
}
