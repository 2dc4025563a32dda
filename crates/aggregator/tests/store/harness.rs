//! A database for each test, and events to fill it with.

use aggregator::{Batch, Settings, Store};
use events::{
    Annotation, Body, Conversation, Event, Message, Registration, Role, Sentiment, Timestamp,
    TranscriptFilter,
};
use futures::{StreamExt, TryStreamExt, stream};
use oracle::Oracle;
use testbed::{ClickHouse, TestCluster};
use uuid::Uuid;

/// The settings of a database on the engine: the one place that says how it is reached.
fn settings(clickhouse: &ClickHouse, database: &str) -> Settings {
    Settings {
        url: clickhouse.url().to_owned(),
        user: clickhouse.user().to_owned(),
        password: clickhouse.password().to_owned(),
        database: database.to_owned(),
        ..Settings::default()
    }
}

/// A database on the engine.
pub(crate) struct Database {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    _clickhouse: Option<ClickHouse>,
}

impl Database {
    /// A database that is not there yet.
    pub(crate) async fn named(name: &str) -> Self {
        let clickhouse = ClickHouse::get().await;
        let settings = settings(&clickhouse, name);
        Self {
            store: Store::new(&settings),
            settings,
            _clickhouse: Some(clickhouse),
        }
    }

    /// A database on all shards of a cluster, with the schema in it. It observes small organisations, too.
    pub(crate) async fn on_shards(cluster: &TestCluster, name: &str) -> Self {
        let settings = Self::settings_on_shards(cluster, name);
        let store = Store::new(&settings);
        store.migrate(|_| ()).await.unwrap();
        Self {
            store,
            settings,
            _clickhouse: None,
        }
    }

    /// A database with the schema in it.
    pub(crate) async fn migrated(name: &str) -> Self {
        let database = Self::named(name).await;
        database.store.migrate(|_| ()).await.unwrap();
        database
    }

    /// The settings of a database on all shards of a cluster.
    pub(crate) fn settings_on_shards(cluster: &TestCluster, name: &str) -> Settings {
        Settings {
            url: cluster.urls().join(","),
            cluster: Some(TestCluster::NAME.to_owned()),
            user: cluster.user().to_owned(),
            password: cluster.password().to_owned(),
            database: name.to_owned(),
            observe_from: 1,
            ..Settings::default()
        }
    }
}

/// Inserts events as one batch, and adds them to the oracles.
pub(crate) async fn insert(
    store: &Store,
    oracles: &mut [&mut Oracle],
    events: impl IntoIterator<Item = Event<'static>>,
) {
    let mut batch = Batch::new();
    for event in events {
        batch.append(&event);
        for oracle in oracles.iter_mut() {
            oracle.add(&event);
        }
    }
    store.insert(&batch.seal(), now).await.unwrap();
}

/// An instant after that of every event.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(START + 30_000 * HOUR)
}

/// A client of the database, or of its first node, for what the store does not answer.
pub(crate) fn client(settings: &Settings) -> clickhouse::Client {
    clickhouse::Client::default()
        .with_url(settings.urls().next().unwrap())
        .with_user(&settings.user)
        .with_password(&settings.password)
        .with_database(&settings.database)
}

/// Runs a statement that answers nothing, on every node.
pub(crate) async fn run(database: &Database, statement: &str) {
    for url in database.settings.urls() {
        let node = client(&database.settings).with_url(url);
        node.query(statement).execute().await.unwrap();
    }
}

/// The statements that make what the database holds, without its name.
pub(crate) async fn schema(settings: &Settings) -> String {
    let client = client(settings);
    let tables: Vec<String> = client
        .query("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name")
        .fetch_all()
        .await
        .unwrap();
    let mut found = String::new();
    for table in tables {
        let create: String = client
            .query(&format!("SHOW CREATE TABLE `{table}`"))
            .fetch_one()
            .await
            .unwrap();
        found.push_str(&create.replace(&format!("{}.", settings.database), ""));
        found.push_str(";\n\n");
    }
    found
}

/// The first instant of the year 2024, a leap year that begins on a Monday.
const START: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;

fn event(org: &str, number: i64, body: Body<'static>) -> Event<'static> {
    Event {
        org: org.to_owned().into(),
        id: format!("event-{number}").into(),
        time: Timestamp::from_millis(START + number * HOUR),
        body,
    }
}

/// The message `number` of a conversation, `number` hours into the year.
pub(crate) fn message(org: &str, conversation: i64, number: i64) -> Event<'static> {
    let id = |kind: u128, number: i64| Uuid::from_u128(kind << 64 | u128::from(number.unsigned_abs()));
    event(
        org,
        number,
        Body::Message(Message {
            message_id: id(1, number),
            conversation_id: id(2, conversation),
            role: if number % 3 == 2 {
                Role::Assistant
            } else {
                Role::User
            },
            user_id: Some(format!("user-{}", number % 37).into()),
            mentor_id: (number % 5 != 0).then(|| format!("mentor-{}", number % 5).into()),
            content: format!("message {number}").into(),
            model: (number % 2 == 0).then(|| "model".into()),
        }),
    )
}

/// An annotation of the conversation, `number` hours into the year.
pub(crate) fn annotation(org: &str, conversation: i64, number: i64) -> Event<'static> {
    let conversation_id = Uuid::from_u128(2 << 64 | u128::from(conversation.unsigned_abs()));
    event(
        org,
        number,
        Body::Annotation(Annotation {
            conversation_id,
            topics: vec![format!("Topic {}", number % 7).into()],
            user_sentiment: Sentiment::Neutral,
            annotated_at: Timestamp::from_millis(START + number * HOUR),
        }),
    )
}

/// A registration of one of 50 users, some before the year began.
pub(crate) fn registration(org: &str, number: i64) -> Event<'static> {
    event(
        org,
        number,
        Body::Registration(Registration {
            user_id: format!("user-{}", number % 50).into(),
            registered_at: Timestamp::from_millis(START + (number % 400 - 100) * 7 * HOUR),
        }),
    )
}

/// The total of a list of `org`, and a page of it.
pub(crate) async fn page(
    store: &Store,
    filter: &TranscriptFilter,
    offset: u64,
    limit: u64,
) -> (u64, Vec<Conversation>) {
    let page = store
        .transcripts_page("org", filter, offset, limit)
        .await
        .unwrap();
    let rest = stream::iter(page.rest).flatten().try_concat().await.unwrap();
    (page.total, [page.first, rest].concat())
}
