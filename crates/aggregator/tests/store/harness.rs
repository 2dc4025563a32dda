//! One engine for all tests of this program, a database for each.

use aggregator::{Settings, Store};
use embedded::ClickHouseServer;
use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::OnceCell};
use uuid::Uuid;

/// The engine behind its HTTP interface.
pub(crate) struct Engine {
    server: ClickHouseServer,
    _data: TempDir,
    _runtime: Runtime,
}

impl Engine {
    /// Starts the engine, or gives the one that runs.
    pub(crate) async fn get() -> &'static Self {
        static ENGINE: OnceCell<Engine> = OnceCell::const_new();
        let start = || {
            let cache = embedded::fetch::default_cache_dir().expect("there is a home");
            let library = embedded::ensure_engine(&cache, &mut |_| ()).unwrap();
            let data = TempDir::new().unwrap();
            // A runtime of its own: that of the test which comes first would end with it.
            let runtime = Runtime::new().unwrap();
            let engine = embedded::Engine::open(&library, data.path()).unwrap();
            let addr = ([127, 0, 0, 1], 0).into();
            let server = runtime.block_on(ClickHouseServer::start(engine, addr)).unwrap();
            Self {
                server,
                _data: data,
                _runtime: runtime,
            }
        };
        ENGINE
            .get_or_init(|| async { tokio::task::spawn_blocking(start).await.unwrap() })
            .await
    }

    /// A store on a database that may not be there yet.
    pub(crate) fn store(&self, database: &str) -> Store {
        Store::new(&self.settings(database))
    }

    /// A store on a database with the schema in it.
    pub(crate) async fn migrated(&self, database: &str) -> (Store, Settings) {
        let store = self.store(database);
        store.migrate(|_| ()).await.unwrap();
        (store, self.settings(database))
    }

    fn settings(&self, database: &str) -> Settings {
        Settings {
            url: self.server.url(),
            database: database.to_owned(),
            ..Settings::default()
        }
    }
}

/// A client of the database, for what the store does not tell.
pub(crate) fn client(settings: &Settings) -> clickhouse::Client {
    clickhouse::Client::default()
        .with_url(&settings.url)
        .with_database(&settings.database)
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
