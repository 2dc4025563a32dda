//! The parts of `up` and `demo`: broker, engine, ingestion and API in one process, embedded or external.

use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aggregator::{Store, migrate::Access};
use anyhow::Context;
use consumer::GroupProtocol;
use embedded::{Broker, Engine};
use metrics_exporter_prometheus::PrometheusHandle;
use query::Scope;
use tracing::{debug, info, warn};

use crate::{
    api::{self, Bound},
    cli::ExternalServices,
    engine::EmbeddedEngine,
    ingestion::{self, InsertProblem},
    keys::KeyReader,
    ready::{Announcement, Ready},
    secret,
    settings::Settings,
    shutdown::Tasks,
};

/// The embedded broker keeps some 5 MB of each partition: many partitions leave room for a backlog.
const EMBEDDED_PARTITIONS: u16 = 64;

/// The parts, started but for the tasks that [`Stack::run`] runs.
pub(crate) struct Stack {
    settings: Settings,
    store: Store,
    http: Bound,
    api_key: String,
    engine: Option<EmbeddedEngine>,
    broker: Option<Broker>,
    data_dir: PathBuf,
    _lock: std::fs::File,
}

impl Stack {
    /// Starts what is embedded, in `data_dir`, and upgrades the schema. An embedded engine has a consumer group of its own,
    /// unless the settings name one: another would miss what this one reads, and the other way round.
    ///
    /// # Errors
    /// Where a part does not start; the message says which, and why.
    pub(crate) async fn start(
        mut settings: Settings,
        data_dir: PathBuf,
        external: ExternalServices,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &external.clickhouse {
            settings.clickhouse.url.clone_from(url);
        }
        if let Some(servers) = &external.kafka {
            settings.kafka.bootstrap_servers.clone_from(servers);
        }
        settings.check()?;
        if external.kafka.is_none() && settings.kafka.group_protocol != GroupProtocol::Classic {
            anyhow::bail!("kafka.group_protocol: the embedded broker knows \"classic\" alone");
        }
        let http = Bound::new(settings.http.addr()).await?;
        let lock = lock(&data_dir)?;
        let api_key = secret::in_dir(&data_dir, secret::API_KEY)?;
        settings
            .auth
            .keys
            .add(&api_key, Scope::All)
            .context("the API key in the data directory cannot be added to auth.keys")?;

        let engine = if external.clickhouse.is_some() {
            None
        } else {
            let addr = ([127, 0, 0, 1], 0).into();
            let embedded = EmbeddedEngine::start(&settings.embedded, &data_dir, addr).await?;
            settings.clickhouse.url = embedded.engine.url();
            Engine::USER.clone_into(&mut settings.clickhouse.user);
            settings.clickhouse.password.clone_from(&embedded.password);
            Some(embedded)
        };
        let broker = if external.kafka.is_some() {
            None
        } else {
            let broker = start_broker(&settings.kafka)?;
            settings.kafka.bootstrap_servers = broker.bootstrap_servers();
            Some(broker)
        };

        let store = Store::new(&settings.clickhouse);
        let mut count = 0_u32;
        let migrated = |name: &str| {
            debug!(name, "migrated");
            count += 1;
        };
        store
            .migrate(migrated)
            .await
            .context("cannot upgrade the schema")?;
        if count > 0 {
            info!(migrations = count, "the schema is upgraded");
        }
        if engine.is_some() && settings.named.group.is_none() {
            settings.kafka.group_id = format!("rollcall-{}", store.database_id().await?);
        }
        ingestion::register_metrics();
        Ok(Self {
            settings,
            store,
            http,
            api_key,
            engine,
            broker,
            data_dir,
            _lock: lock,
        })
    }

    /// The settings, with the addresses of the embedded parts in them.
    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where everything is.
    pub(crate) fn ready(&self) -> Ready {
        let engine = self.engine.as_ref().map(EmbeddedEngine::ready);
        let ready = Ready {
            api_url: Some(self.http.url()),
            api_key: Some(self.api_key.clone()),
            group_id: Some(self.settings.kafka.group_id.clone()),
            ..engine.unwrap_or_default()
        };
        ready
            .with_kafka(&self.settings.kafka)
            .with_clickhouse(&self.settings.clickhouse)
    }

    /// Tells other commands, by a file in the data directory, where everything is.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn announce(&self) -> anyhow::Result<Announcement> {
        self.ready().announce(&self.data_dir)
    }

    /// Ingests and answers until the tasks are asked to end, with whatever else is in them.
    ///
    /// # Errors
    /// That of the first task that failed.
    pub(crate) async fn run(self, mut tasks: Tasks, metrics: PrometheusHandle) -> anyhow::Result<()> {
        let kafka = self.settings.kafka.clone();
        let problem = InsertProblem::default();
        let checks = vec![
            api::clickhouse_check(&self.store, Access::Write),
            problem.check(),
            api::kafka_check(&kafka, &self.store)?,
        ];
        let settings = self.settings.query();
        let reader = KeyReader::start(&self.settings.auth, &self.store).await;
        let (keys, store) = (reader.keys(), self.store.clone());
        let router = query::router(settings, keys, store, checks, move || metrics.render());
        tasks.spawn(reader.run(tasks.shutdown()));
        tasks.spawn(ingestion::run(kafka, self.store, problem, tasks.shutdown()));
        tasks.spawn(self.http.serve(router, tasks.shutdown()));

        let ended = tasks.run_to_end().await;
        drop(self.broker);
        if let Some(embedded) = self.engine {
            embedded.engine.shutdown().await;
        }
        ended
    }
}

/// Starts the embedded broker with the topics of the settings.
///
/// # Errors
/// Where it does not start.
pub(crate) fn start_broker(kafka: &consumer::Settings) -> anyhow::Result<Broker> {
    let topics = [
        (kafka.topic.as_str(), i32::from(EMBEDDED_PARTITIONS)),
        (kafka.dead_letter_topic.as_str(), 1),
    ];
    let broker = Broker::start(&topics).context("the embedded broker does not start")?;
    info!(
        servers = broker.bootstrap_servers(),
        "the embedded Kafka broker runs"
    );
    warn!("the embedded broker forgets what is not ingested when it stops");
    Ok(broker)
}

/// Makes the data directory, for its owner alone, and locks it for this process.
///
/// # Errors
/// Where it cannot be used, is in use, or has data of a build that this one cannot read.
pub(crate) fn lock(data_dir: &Path) -> anyhow::Result<std::fs::File> {
    let earlier = data_dir.join("clickhouse");
    if earlier.exists() {
        anyhow::bail!(
            "the data directory {} was made by an earlier build, whose schema cannot be upgraded: name another one \
             with --data-dir and consume the topic again, or remove {}",
            data_dir.display(),
            earlier.display()
        );
    }
    let path = data_dir.join("lock");
    let open = || -> std::io::Result<std::fs::File> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data_dir)?;
        std::fs::set_permissions(data_dir, std::fs::Permissions::from_mode(0o700))?;
        std::fs::File::create(&path)
    };
    let file = open().with_context(|| format!("cannot use the data directory {}", data_dir.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => anyhow::bail!("another process uses the data directory {}", data_dir.display()),
    }
}
