//! API keys that are created and revoked while several `serve` run.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::Response;
use serde_json::Value;
use tempfile::tempdir;

use crate::{
    command_line::{Ended, run},
    harness::{Parts, Process, subdirectory, succeeds, until, until_within},
};

/// Read the keys every second, and have two organisations without events.
const VARIABLES: [(&str, &str); 2] = [
    ("ROLLCALL__AUTH__REFRESH_SECS", "1"),
    ("ROLLCALL__AUTH__ORGS", "acme,globex"),
];

const UNKNOWN: &str = r#"{"detail":"the API key in Authorization is not valid"}"#;

/// How long a revoked key may still open anything, on a busy machine.
const REVOCATION: Duration = Duration::from_secs(10);

/// `rollcall keys` with these arguments.
async fn keys(parts: &Parts, args: &[&str]) -> Ended {
    run(&[&["keys"], args].concat(), &parts.variables()).await
}

/// Creates a key that opens these organisations.
async fn create(parts: &Parts, name: &str, orgs: &str, more: &[&str]) -> String {
    let args = [&["create", "--name", name, "--orgs", orgs], more].concat();
    let ended = keys(parts, &args).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let key = ended.stdout.strip_suffix('\n').unwrap();
    let random = key.strip_prefix("rollcall_").unwrap();
    assert!(
        random.len() == 43 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{ended:?}"
    );
    key.to_owned()
}

/// What `keys list --json` says of a key.
async fn listed(parts: &Parts, name: &str) -> Value {
    let ended = keys(parts, &["list", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let all: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let mut named = all.into_iter().filter(|key| key["name"] == name);
    named.next().unwrap()
}

async fn ask(serve: &Process, key: &str, org: &str) -> Response {
    let url = serve.url(org, "usage-summary/?start_date=2026-11-01&end_date=2026-11-02");
    let request = reqwest::Client::new().get(url).bearer_auth(key);
    request.send().await.unwrap()
}

async fn status(serve: &Process, key: &str, org: &str) -> u16 {
    ask(serve, key, org).await.status().as_u16()
}

/// Waits until every `serve` answers so.
async fn all_answer(serves: &[Process], key: &str, org: &str, expected: u16) {
    until(&format!("{org}: {expected}"), async || {
        let statuses = serves.iter().map(|serve| status(serve, key, org));
        let statuses = join_all(statuses).await;
        statuses.iter().all(|status| *status == expected).then_some(())
    })
    .await;
}

/// Has the engine whose data will be in `data` keep a log of statements.
fn log_statements(data: &Path) {
    let config = "<clickhouse><query_log><database>system</database><table>query_log</table>\
                  <engine>ENGINE = MergeTree ORDER BY event_time</engine></query_log></clickhouse>";
    let engine = subdirectory(data, "engine");
    fs::write(subdirectory(&engine, "config.d").join("query_log.xml"), config).unwrap();
}

/// The files below a directory that hold a text.
pub(crate) fn holding(dir: &Path, text: &str, found: &mut Vec<String>) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            count += holding(&path, text, found);
        } else if let Ok(bytes) = fs::read(&path) {
            count += 1;
            if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    count
}

/// Of the key that expires.
const LIFETIME: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_every_serve_until_it_is_revoked_or_expires_and_is_kept_nowhere() {
    let dir = tempdir().unwrap();
    log_statements(&dir.path().join("clickhouse/data"));
    let parts = Parts::start(dir.path()).await;
    let serves = [parts.serve(&VARIABLES).await, parts.serve(&VARIABLES).await];

    let before = Instant::now();
    let brief = create(&parts, "brief", "acme", &["--expires", "20s"]).await;
    let partner = create(&parts, "partner", "acme", &[]).await;
    let all = create(&parts, "all", "*", &[]).await;
    all_answer(&serves, &brief, "acme", 200).await;
    for serve in &serves {
        until("both are known", async || {
            (status(serve, &all, "globex").await == 200).then_some(())
        })
        .await;
        assert_eq!(status(serve, &partner, "acme").await, 200);
        assert_eq!(status(serve, &partner, "globex").await, 403);
        // Those of the settings go on.
        assert_eq!(status(serve, "k3y", "globex").await, 200);
    }

    let taken = keys(&parts, &["create", "--name", "partner", "--orgs", "globex"]).await;
    assert_eq!((taken.code, taken.stdout.as_str()), (Some(1), ""), "{taken:?}");
    assert!(taken.stderr.contains("the name partner is taken"), "{taken:?}");
    until("its use is kept", async || {
        let used = listed(&parts, "partner").await["last_used_at"].clone();
        used.is_string().then_some(())
    })
    .await;
    let shown = listed(&parts, "partner").await;
    assert_eq!(
        (&shown["orgs"][0], &shown["state"]),
        (&"acme".into(), &"live".into())
    );
    assert_eq!(
        (&shown["expires_at"], &shown["revoked_at"]),
        (&Value::Null, &Value::Null)
    );

    let revoked = keys(&parts, &["revoke", "partner"]).await;
    assert_eq!(
        (revoked.code, revoked.stdout.as_str()),
        (Some(0), ""),
        "{revoked:?}"
    );
    let refused = until_within(REVOCATION, "both refuse it", async || {
        let answers = [
            ask(&serves[0], &partner, "acme"),
            ask(&serves[1], &partner, "acme"),
        ];
        let answers = join_all(answers).await;
        answers
            .iter()
            .all(|answer| answer.status() == 401)
            .then_some(answers)
    })
    .await;
    for answer in refused {
        assert_eq!(answer.text().await.unwrap(), UNKNOWN);
    }
    let again = keys(&parts, &["revoke", "partner"]).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("has the name partner"), "{again:?}");
    assert_eq!(listed(&parts, "partner").await["state"], "revoked");
    assert_eq!(status(&serves[0], &all, "acme").await, 200);

    all_answer(&serves, &brief, "acme", 401).await;
    assert!(before.elapsed() >= LIFETIME, "{:?}", before.elapsed());
    assert_eq!(
        ask(&serves[0], &brief, "acme").await.text().await.unwrap(),
        UNKNOWN
    );
    assert_eq!(listed(&parts, "brief").await["state"], "expired");
    let table = keys(&parts, &["list"]).await.stdout;
    assert_eq!(table.lines().count(), 4, "{table}");

    // Not a byte of a key is anywhere: neither in what tables hold, nor in the statements, nor in files.
    let engine = &parts.clickhouse;
    engine.sql("SYSTEM FLUSH LOGS").await;
    let hash = "lower(hex(hash))";
    let hashes = engine.sql(&format!("SELECT {hash} FROM rollcall.api_keys")).await;
    let statements = "SELECT count() FROM system.query_log WHERE position(query, ";
    for key in [&brief, &partner, &all] {
        // A part of it is enough, which the statement that asks does not hold whole.
        let random = key.strip_prefix("rollcall_").unwrap();
        let (part, _) = random.split_at(12);
        let (one, two) = part.split_at(6);
        let statement = format!("{statements}concat('{one}', '{two}')) > 0");
        assert_eq!(engine.sql(&statement).await.trim(), "0");
        let mut found = Vec::new();
        let files = holding(&dir.path().join("clickhouse"), part, &mut found);
        assert!(files > 50, "{files}");
        assert_eq!(found, Vec::<String>::new());
    }
    // What is searched would show it.
    let some = hashes.lines().next().unwrap();
    let logged = engine.sql(&format!("{statements}'{some}') > 0")).await;
    assert_ne!(logged.trim(), "0", "the hash is in no statement that is logged");
    for serve in serves {
        assert_eq!(serve.signal("TERM").await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_ask_again_and_then_answered() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let limits = [
        ("ROLLCALL__AUTH__REQUESTS_PER_SECOND", "1"),
        ("ROLLCALL__AUTH__BURST", "3"),
    ];
    let created = create(&parts, "busy", "*", &[]).await;
    let serve = parts.serve(&[&VARIABLES[..], &limits].concat()).await;
    for key in ["k3y", &created] {
        let answers = join_all((0..10).map(|_| ask(&serve, key, "acme"))).await;
        let (answered, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status() == 200);
        assert!(answered.len() >= 3 && refused.len() >= 3, "{answered:?}");
        for answer in refused {
            assert_eq!(answer.status(), 429);
            let wait = answer.headers()["retry-after"].to_str().unwrap().to_owned();
            assert_eq!(wait, "1");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(
                body["detail"],
                "more requests a second come with this API key than it may send"
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(status(&serve, key, "acme").await, 200);
    }
    // The bounds of one key are not another's.
    assert_eq!(status(&serve, "nobody's", "acme").await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_clickhouse_is_away_keys_that_are_known_hold_for_the_stated_time() {
    let dir = tempdir().unwrap();
    let parts = Parts::start(dir.path()).await;
    let created = create(&parts, "known", "acme", &[]).await;
    let log = dir.path().join("log");
    let variables = [
        &parts.variables()[..],
        &VARIABLES,
        &[
            ("ROLLCALL__AUTH__MAX_AGE_SECS", "20"),
            ("ROLLCALL__AUTH__KEYS", "k3y=acme"),
            ("ROLLCALL__LOG__FILTER", "info"),
        ],
    ]
    .concat();
    let output = fs::File::create(&log).unwrap();
    let args = ["serve", "--http-addr", "127.0.0.1:0"];
    let serve = Process::start_logging(dir.path(), &args, &variables, output.into()).await;
    let count = |text: &str| {
        let log = fs::read_to_string(&log).unwrap();
        log.lines().filter(|line| line.contains(text)).count()
    };
    assert_eq!(status(&serve, &created, "acme").await, 200);
    parts.clickhouse.send_engine("STOP");
    let began = Instant::now();
    // That a key does not open an organisation is said without ClickHouse.
    assert_eq!(status(&serve, &created, "globex").await, 403);
    assert_eq!(status(&serve, "nobody's", "acme").await, 401);
    until("it is logged", async || {
        (count("API keys cannot be read from ClickHouse") > 0).then_some(())
    })
    .await;
    let unread = until("they hold no longer", async || {
        let answer = ask(&serve, &created, "globex").await;
        (answer.status() != 403).then_some(answer)
    })
    .await;
    // What was read last was asked for at most some seconds before.
    assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(unread.status(), 503);
    assert_eq!(unread.headers()["retry-after"], "5");
    let body: Value = unread.json().await.unwrap();
    assert_eq!(body["detail"], "API keys cannot be checked at the moment");
    // Those of the settings are known for ever.
    assert_eq!(status(&serve, "k3y", "globex").await, 403);
    parts.clickhouse.send_engine("CONT");
    until("they are read again", async || {
        (status(&serve, &created, "acme").await == 200).then_some(())
    })
    .await;
    assert_eq!(count("API keys cannot be read from ClickHouse"), 1);
    until("that is logged", async || {
        (count("API keys are read from ClickHouse again") == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_command_about_keys_is_said() {
    let dir = tempdir().unwrap();
    let parts = Parts::bare(dir.path()).await;
    for (args, code, said) in [
        (&["list"][..], 1, "run `rollcall migrate`"),
        (
            &["create", "--name", "a", "--orgs", "acme"],
            1,
            "run `rollcall migrate`",
        ),
        (&["create", "--name", "a b", "--orgs", "acme"], 2, "A-Za-z0-9._-"),
        (&["create", "--name", "a", "--orgs", "acme,*"], 2, "* alone"),
        (
            &["create", "--name", "a", "--orgs", "acme", "--expires", "soon"],
            2,
            "as in 30d",
        ),
    ] {
        let ended = keys(&parts, args).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
    succeeds(&mut parts.command(&["migrate"]));
    let unknown = keys(&parts, &["revoke", "nobody"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("has the name nobody"), "{unknown:?}");
    let none = keys(&parts, &["list", "--json"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "[]\n"));
}
