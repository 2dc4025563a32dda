//! A database for each test.

use aggregator::{Settings, Store};
use testbed::ClickHouse;

/// A store on a database of its own, with the schema in it. The engine runs for as long as what comes with it is
/// kept.
pub(crate) async fn store(database: &str) -> (Store, ClickHouse) {
    let clickhouse = ClickHouse::get().await;
    let store = Store::new(&Settings {
        url: clickhouse.url().to_owned(),
        user: clickhouse.user().to_owned(),
        password: clickhouse.password().to_owned(),
        database: database.to_owned(),
        ..Settings::default()
    });
    store.migrate(|_| ()).await.unwrap();
    (store, clickhouse)
}
