//! A database for each test.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use aggregator::{Settings, Store};
use testbed::ClickHouse;

/// A store on a database of its own, with the schema in it. The engine runs for as long as what comes with it is
/// kept.
pub(crate) async fn store(database: &str) -> (Store, ClickHouse) {
    let clickhouse = ClickHouse::get().await;
    let store = Store::new(&settings(&clickhouse, database));
    store.migrate(|_| ()).await.unwrap();
    (store, clickhouse)
}

fn settings(clickhouse: &ClickHouse, database: &str) -> Settings {
    Settings {
        url: clickhouse.url().to_owned(),
        user: clickhouse.user().to_owned(),
        password: clickhouse.password().to_owned(),
        database: database.to_owned(),
        ..Settings::default()
    }
}

/// A store on a database that is there already, whose answers each take this long.
pub(crate) fn slow_store(clickhouse: &ClickHouse, database: &str, delay: Duration) -> Store {
    let engine = clickhouse.url().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for asked in listener.incoming() {
            let asked = asked.unwrap();
            let engine = TcpStream::connect(&engine).unwrap();
            let requests = (asked.try_clone().unwrap(), engine.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut &requests.0, &mut &requests.1));
            thread::spawn(move || {
                let mut answer = [0; 8_192];
                while let Ok(1..) = engine.peek(&mut answer) {
                    thread::sleep(delay);
                    let length = (&engine).read(&mut answer).unwrap();
                    let _sent = (&asked).write_all(&answer[..length]);
                }
            });
        }
    });
    Store::new(&Settings {
        url,
        ..settings(clickhouse, database)
    })
}
