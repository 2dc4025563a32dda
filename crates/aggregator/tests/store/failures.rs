use aggregator::{Batch, Error, Settings, Store};

use crate::harness::{Database, client, message};

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
    let error = database.store.insert(&batch.seal()).await.unwrap_err();
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
async fn a_row_that_breaks_a_constraint_is_at_fault_itself() {
    let database = Database::migrated("constraint").await;
    let constraint = "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK content != 'poison'";
    client(&database.settings)
        .query(constraint)
        .execute()
        .await
        .unwrap();
    let mut batch = Batch::new();
    let mut poison = message("org", 1, 1);
    if let events::Body::Message(message) = &mut poison.body {
        message.content = "poison".into();
    }
    batch.append(&message("org", 2, 2));
    batch.append(&poison);
    let error = database.store.insert(&batch.seal()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRows(_)), "{error:?}");
}
