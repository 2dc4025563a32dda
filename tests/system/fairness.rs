//! Many that ask at the same time: whole lists of one key leave the short questions of another quick.

use std::time::{Duration, Instant};

use aggregator::{Batch, Settings, Store};
use events::{Body, Event, Message, Role, Timestamp};
use reqwest::{Response, StatusCode};
use tempfile::tempdir;
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::harness::{DEADLINE, Parts, Process, until};

/// The organisation whose lists are read, with a key of its own.
const LARGE: &str = "large";
/// The organisation that is asked for its usage, with a key of its own.
const OTHER: &str = "other";

/// The clients that read whole lists.
const READERS: usize = 64;
/// Several chunks of a list.
const CONVERSATIONS: u32 = 12_000;
/// The questions whose times are compared.
const QUESTIONS: usize = 40;
/// How long all of them may take. A question of a key that waits behind the lists of another takes seconds.
const TIME: Duration = Duration::from_secs(60);
/// Noise of a machine with other work can only make a question late: one round of these without it is enough.
const ROUNDS: usize = 5;
/// Below this, what is measured is how soon a busy machine lets a process run.
const FLOOR: Duration = Duration::from_millis(15);

/// 2024-01-01T00:00:00Z.
const BEGIN: i64 = 1_704_067_200_000;

/// A database with both organisations, and `serve` over it.
async fn served(parts: &Parts, variables: &[(&str, &str)]) -> Process {
    let ready = &parts.clickhouse.ready;
    let store = Store::new(&Settings {
        url: ready.clickhouse_url.clone().unwrap(),
        user: ready.clickhouse_user.clone().unwrap(),
        password: ready.clickhouse_password.clone().unwrap(),
        ..Settings::default()
    });
    for org in [LARGE, OTHER] {
        let mut batch = Batch::default();
        for number in 0..CONVERSATIONS {
            batch.append(&Event {
                org: org.into(),
                id: format!("e-{number}").into(),
                time: Timestamp::from_millis(BEGIN + i64::from(number) * 60_000),
                body: Body::Message(Message {
                    message_id: Uuid::from_u128(u128::from(number)),
                    conversation_id: Uuid::from_u128(u128::from(number)),
                    role: Role::User,
                    user_id: Some(format!("user-{}", number % 5_000).into()),
                    mentor_id: Some("mentor".into()),
                    content: "a question of some length ".repeat(8).into(),
                    model: None,
                }),
            });
        }
        let now = || Timestamp::from_millis(2 * BEGIN);
        store.insert(&batch.seal(), now).await.unwrap();
    }
    let keys = format!("{LARGE}-key={LARGE};{OTHER}-key={OTHER}");
    let own = [("ROLLCALL__AUTH__KEYS", keys.as_str())];
    parts.serve(&[&own, variables].concat()).await
}

/// Asks an endpoint of an organisation with its key.
async fn get(client: &reqwest::Client, serve: &Process, org: &str, endpoint: &str) -> Response {
    let request = client
        .get(serve.url(org, endpoint))
        .bearer_auth(format!("{org}-key"));
    request.send().await.unwrap()
}

/// The address of a short question.
const USAGE: &str = "usage-summary/?start_date=2024-01-01&end_date=2024-01-31&group_by=hour";

/// The median, and the 90th percentile, of how long the other organisation's usage takes, asked one at a time.
async fn usage_times(serve: &Process) -> (Duration, Duration) {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for _ in 0..QUESTIONS {
        let asked = Instant::now();
        let answer = get(&client, serve, OTHER, USAGE).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    (times[QUESTIONS / 2], times[QUESTIONS * 9 / 10])
}

/// Reads whole lists of the large organisation until it is dropped, and counts those that it has begun.
async fn read_lists(url: String, begun: watch::Sender<usize>) {
    let client = reqwest::Client::new();
    loop {
        let request = client.get(&url).bearer_auth(format!("{LARGE}-key"));
        let mut answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        begun.send_modify(|begun| *begun += 1);
        let mut last = None;
        while let Some(chunk) = answer.chunk().await.unwrap() {
            last = chunk.last().copied();
        }
        assert_eq!(last, Some(b']'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_stays_quick_while_many_clients_of_another_key_read_whole_lists() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let serve = served(&parts, &[]).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (quiet, quiet_90th) = usage_times(&serve).await;
        let mut readers = JoinSet::new();
        let (begun, mut lists) = watch::channel(0);
        // One that reads no further than the beginning holds nobody up.
        let slow = get(&reqwest::Client::new(), &serve, LARGE, "transcripts/").await;
        for _ in 0..READERS {
            readers.spawn(read_lists(serve.url(LARGE, "transcripts/"), begun.clone()));
        }
        let busy = lists.wait_for(|begun| *begun >= READERS);
        tokio::time::timeout(DEADLINE, busy).await.unwrap().unwrap();
        let times = tokio::time::timeout(TIME, usage_times(&serve)).await;
        let (median, busy_90th) =
            times.unwrap_or_else(|_late| panic!("not within {TIME:?}, where quiet: {quiet:?}"));
        assert!(readers.try_join_next().is_none(), "a reader has failed");
        readers.shutdown().await;
        drop(slow);
        let lists = *lists.borrow();
        let round = format!(
            "quiet: median {quiet:?}, 90th {quiet_90th:?}; busy: {median:?}, {busy_90th:?}; {lists} lists begun"
        );
        eprintln!("{round}");
        rounds.push(round);
        if median <= 3 * quiet.max(FLOOR) {
            return;
        }
    }
    panic!("{rounds:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_its_place_to_the_next() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let limits = [
        ("ROLLCALL__HTTP__CONCURRENT_QUERIES", "1"),
        ("ROLLCALL__HTTP__REQUESTS_PER_KEY", "2"),
    ];
    let serve = served(&parts, &limits).await;
    let client = reqwest::Client::new();
    let begin = |clients: &mut JoinSet<StatusCode>| {
        let request = client
            .get(serve.url(OTHER, USAGE))
            .bearer_auth(format!("{OTHER}-key"));
        clients.spawn(async move {
            // One that goes away counts until all of its request is dropped, some moments after its place in the line.
            until("it is admitted", async || {
                let status = request.try_clone().unwrap().send().await.unwrap().status();
                (status != 429).then_some(status)
            })
            .await
        })
    };
    let waiting = async |count| {
        until(&format!("{count} waiting"), async || {
            let name = "rollcall_http_waiting_requests{lane=\"questions\"}";
            (serve.metric(name).await == count).then_some(())
        })
        .await;
    };
    // While ClickHouse says nothing, one has the only slot, and the other waits for it.
    parts.clickhouse.send_engine("STOP");
    let mut clients = JoinSet::new();
    let first = begin(&mut clients);
    begin(&mut clients);
    waiting(1).await;
    assert_eq!(get(&client, &serve, OTHER, USAGE).await.status(), 429);
    first.abort();
    waiting(0).await;
    begin(&mut clients);
    waiting(1).await;
    parts.clickhouse.send_engine("CONT");
    let mut statuses = Vec::new();
    while let Some(ended) = clients.join_next().await {
        statuses.extend(ended.ok());
    }
    assert_eq!(statuses, [200, 200]);
}
