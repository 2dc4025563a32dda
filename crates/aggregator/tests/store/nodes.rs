use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use aggregator::{Batch, Settings, Store};
use events::TranscriptFilter;
use futures::TryStreamExt;
use testbed::{Front, TlsFront};
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::harness::{Database, insert, message, now};

/// Far beyond what anything here takes, and less than the limit of a statement.
const DEADLINE: Duration = Duration::from_secs(20);

fn address(settings: &Settings) -> SocketAddr {
    settings.url.trim_start_matches("http://").parse().unwrap()
}

#[tokio::test]
async fn any_node_that_answers_is_asked() {
    let database = Database::migrated("nodes").await;
    insert(&database.store, &mut [], [message("org", 1, 1)]).await;
    // The system takes connections for it; nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let gone = "http://127.0.0.1:1";
    let live = database.settings.url.as_str();
    for urls in [
        [live, gone, &silent],
        [gone, &silent, live],
        [&silent, live, gone],
    ] {
        let store = Store::new(&Settings {
            url: urls.join(", "),
            ..database.settings.clone()
        });
        let all = async {
            // Each has its turn.
            for number in 2..5 {
                store.ping().await.unwrap();
                insert(&store, &mut [], [message("org", 1, number)]).await;
                assert!(store.org_exists("org").await.unwrap());
                assert!(!store.org_exists("other").await.unwrap());
            }
        };
        timeout(DEADLINE, all)
            .await
            .expect("a node that is away is passed over");
    }
}

#[tokio::test]
async fn what_a_node_takes_with_it_is_asked_of_another() {
    let database = Database::migrated("node_that_goes").await;
    insert(&database.store, &mut [], [message("org", 1, 1)]).await;
    // Says that it is there, and closes every other connection without an answer.
    let leaving = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", leaving.local_addr().unwrap());
    let asked = spawn_blocking(move || {
        loop {
            let (mut connection, _) = leaving.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&connection).read_line(&mut line).unwrap();
            if !line.contains("/ping") {
                return line;
            }
            connection
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nOk.\n")
                .unwrap();
        }
    });
    let store = Store::new(&Settings {
        url: format!("{url},{}", database.settings.url),
        ..database.settings.clone()
    });
    assert!(store.org_exists("org").await.unwrap());
    let asked = timeout(DEADLINE, asked)
        .await
        .expect("it was asked first")
        .unwrap();
    assert!(asked.starts_with("POST "), "{asked}");
}

#[tokio::test]
async fn a_list_goes_on_once_clickhouse_is_back() {
    let database = Database::migrated("list_over_restart").await;
    // Several chunks.
    insert(
        &database.store,
        &mut [],
        (0..7_000).map(|number| message("org", number, number)),
    )
    .await;
    let filter = TranscriptFilter::default();
    let whole: Vec<_> = database
        .store
        .transcripts("org", &filter)
        .try_concat()
        .await
        .unwrap();
    assert_eq!(whole.len(), 7_000);

    let front = Front::of(address(&database.settings)).await;
    let store = Store::new(&Settings {
        url: format!("http://{}", front.address()),
        ..database.settings.clone()
    });
    let mut list = store.transcripts("org", &filter);
    let mut read = list.try_next().await.unwrap().expect("there is a first chunk");
    front.close();
    let reopened = async {
        while front.refused() < 2 {
            sleep(Duration::from_millis(10)).await;
        }
        front.open();
    };
    let rest = async { list.try_concat().await.unwrap() };
    let (rest, ()) = timeout(DEADLINE, async { tokio::join!(rest, reopened) })
        .await
        .expect("the list ends");
    read.extend(rest);
    assert!(read == whole, "{} of {} are listed", read.len(), whole.len());
}

#[tokio::test]
async fn clickhouse_is_reached_over_tls_that_a_private_authority_vouches_for() {
    let database = Database::migrated("tls").await;
    let front = TlsFront::of(address(&database.settings)).await;
    let settings = Settings {
        url: front.url(),
        ca_file: Some(front.ca_file()),
        ..database.settings.clone()
    };
    settings.validate().unwrap();
    let store = Store::new(&settings);
    insert(&store, &mut [], [message("org", 1, 1)]).await;
    assert!(store.org_exists("org").await.unwrap());

    let strict = Store::new(&Settings {
        ca_file: None,
        ..settings
    });
    let error = strict.ping().await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("certificate verify failed"), "{text}");
}

#[tokio::test]
async fn further_settings_go_with_every_statement() {
    let database = Database::migrated("settings").await;
    let settings = |name: &str, value: &str| Settings {
        settings: [(name.to_owned(), value.to_owned())].into(),
        ..database.settings.clone()
    };
    // No statement is as short.
    let store = Store::new(&settings("max_ast_elements", "1"));
    let mut batch = Batch::new();
    batch.append(&message("org", 1, 1));
    let refused = [
        store.insert(&batch.seal(), now).await.unwrap_err(),
        store.org_exists("org").await.unwrap_err(),
        store.rebuild("active_daily").await.unwrap_err(),
    ];
    for error in refused {
        assert!(format!("{error:?}").contains("TOO_BIG_AST"), "{error:?}");
    }
    let error = settings("async_insert", "1").validate().unwrap_err();
    assert!(error.contains("clickhouse.settings.async_insert"), "{error}");
}
