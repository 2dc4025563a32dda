use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    time::Duration,
};

use aggregator::{Batch, Error, Settings, Store, migrate::Access};
use events::{DateRange, Day, Grain, NewUsersBy, TranscriptFilter};
use futures::{
    FutureExt, TryFutureExt, TryStreamExt,
    future::{BoxFuture, join_all},
};
use tokio::{task::spawn_blocking, time::timeout};

use crate::harness::{Database, client, message, now};

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let store = Store::new(&Settings {
        url: "http://127.0.0.1:1".to_owned(),
        ..Settings::default()
    });
    let error = store.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_insert_without_a_schema_is_refused() {
    let database = Database::named("no_schema").await;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let error = database.store.insert(&batch.seal(), now).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up() {
    let database = Database::migrated("too_slow").await;
    let store = Store::new(&Settings {
        query_timeout_secs: 0,
        ..database.settings.clone()
    });
    let error = store.org_exists("org").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn every_call_to_clickhouse_has_a_timeout() {
    // The system takes connections for it; nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = &Store::new(&Settings {
        url: format!("http://{}", silent.local_addr().unwrap()),
        query_timeout_secs: 1,
        insert_timeout_secs: 1,
        maintenance_timeout_secs: 1,
        ..Settings::default()
    });
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let (batch, filter) = (batch.seal(), TranscriptFilter::default());
    let day = Day::from_ymd(2024, 1, 1).unwrap();
    let range = DateRange::new(day, day).unwrap();
    let calls: [(&str, BoxFuture<'_, Result<(), Error>>); 10] = [
        ("ping", store.ping().boxed()),
        ("migrate", store.migrate(|_| ()).boxed()),
        (
            "schema_state",
            store.schema_state(Access::Read).map_ok(drop).boxed(),
        ),
        ("insert", store.insert(&batch, now).boxed()),
        ("org_exists", store.org_exists("org").map_ok(drop).boxed()),
        (
            "usage_summary",
            store.usage_summary("org", range, Grain::Day).map_ok(drop).boxed(),
        ),
        (
            "cohorts",
            store
                .cohorts("org", range, Grain::Day, None, NewUsersBy::Registration)
                .map_ok(drop)
                .boxed(),
        ),
        (
            "transcripts_page",
            store.transcripts_page("org", &filter, 0, 1).map_ok(drop).boxed(),
        ),
        (
            "transcripts",
            store
                .transcripts("org", &filter)
                .try_collect::<Vec<_>>()
                .map_ok(drop)
                .boxed(),
        ),
        ("verify", store.verify("active_daily").map_ok(drop).boxed()),
    ];
    let ends = calls.map(|(name, call)| async move {
        let ended = timeout(Duration::from_secs(10), call).await;
        let error = ended.unwrap_or_else(|_| panic!("{name} hangs")).unwrap_err();
        assert!(error.is_transient(), "{name}: {error:?}");
    });
    join_all(ends).await;
    let error = timeout(Duration::from_secs(10), store.rebuild("active_daily")).await;
    assert!(error.expect("rebuild hangs").unwrap_err().is_transient());
}

#[tokio::test]
async fn clickhouse_is_told_after_which_time_a_question_is_given_up() {
    let clickhouse = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = Store::new(&Settings {
        url: format!("http://{}", clickhouse.local_addr().unwrap()),
        query_timeout_secs: 7,
        ..Settings::default()
    });
    let request = spawn_blocking(move || {
        let (connection, _) = clickhouse.accept().unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line
    });
    store.org_exists("org").await.unwrap_err();
    let request = request.await.unwrap();
    assert!(request.contains("max_execution_time=7"), "{request}");
}

/// Has a table refuse rows.
async fn constrain(database: &Database, constraint: &str) {
    let added = client(&database.settings).query(constraint).execute().await;
    added.unwrap();
}

#[tokio::test]
async fn a_row_that_only_a_rollup_does_not_take_is_not_at_fault() {
    let database = Database::migrated("constraint_of_rollup").await;
    constrain(
        &database,
        "ALTER TABLE conversations_by_day ADD CONSTRAINT nothing CHECK 0",
    )
    .await;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let error = database.store.insert(&batch.seal(), now).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_row_that_breaks_a_constraint_is_at_fault_itself() {
    let database = Database::migrated("constraint").await;
    let constraint = "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK content != 'poison'";
    constrain(&database, constraint).await;
    let mut batch = Batch::new();
    let mut poison = message("org", 1, 1);
    if let events::Body::Message(message) = &mut poison.body {
        message.content = "poison".into();
    }
    batch.append(&message("org", 2, 2));
    batch.append(&poison);
    let error = database.store.insert(&batch.seal(), now).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRows(_)), "{error:?}");
}

#[tokio::test]
async fn a_user_who_may_not_is_named_with_what_to_change() {
    let database = Database::migrated("rights").await;
    let as_user = |user: &str, password: &str| {
        Store::new(&Settings {
            user: user.to_owned(),
            password: password.to_owned(),
            ..database.settings.clone()
        })
    };
    let password = &database.settings.password;
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let batch = batch.seal();
    for (user, password, may_read, named) in [
        (
            "readonly_1",
            password.as_str(),
            false,
            &["readonly = 2", "Cannot modify"][..],
        ),
        ("readonly_2", password, true, &["readonly = 0"]),
        ("reader", password, true, &["lacks a right", "INSERT"]),
        ("stranger", password, false, &["lacks a right", "schema_versions"]),
        ("reader", "wrong", false, &["clickhouse.password"]),
        ("nobody", password, false, &["clickhouse.user"]),
    ] {
        let store = as_user(user, password);
        let (question, state) = (
            store.org_exists("org").await,
            store.schema_state(Access::Read).await,
        );
        assert_eq!((question.is_ok(), state.is_ok()), (may_read, may_read), "{user}");
        let first = state
            .err()
            .into_iter()
            .chain(question.err())
            .chain(store.insert(&batch, now).await.err());
        for (index, error) in first.enumerate() {
            assert!(matches!(error, Error::NotAllowed { .. }), "{user}: {error:?}");
            let source = std::error::Error::source(&error).unwrap();
            let line = format!("{error}: {source}");
            assert_eq!(line.lines().count(), 1, "{line}");
            for named in named.iter().filter(|_| index == 0) {
                assert!(line.contains(named), "{user}: {line}");
            }
        }
    }
}

/// A server that answers every request with this, once it has read its head.
fn answering(answer: &'static str) -> Settings {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        url: format!("http://{}", server.local_addr().unwrap()),
        ..Settings::default()
    };
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = server.accept() {
            let mut request = BufReader::new(&connection).lines();
            let length = request
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
            assert!(length.is_some(), "the length of the request is not known");
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    settings
}

#[tokio::test]
async fn what_acknowledges_an_insert_is_clickhouse_alone() {
    let page = |status: &str| {
        let page = format!("<html>\r\n<head><title>{status}</title></head>\r\n<body>nginx</body>\r\n</html>");
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        )
    };
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let batch = batch.seal();
    for status in [
        "413 Request Entity Too Large",
        "502 Bad Gateway",
        "504 Gateway Time-out",
        "200 OK",
    ] {
        let store = Store::new(&answering(page(status).leak()));
        let error = store.insert(&batch, now).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.contains(status.split_at(3).0) && !source.contains('<'),
            "{source}"
        );
        if status.starts_with("413") {
            assert!(matches!(error, Error::TooLarge(_)), "{error:?}");
            assert!(error.to_string().contains("client_max_body_size"), "{error}");
        } else {
            assert!(error.is_transient(), "{error:?}");
        }
    }
}
