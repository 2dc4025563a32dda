//! The parts of `up` and `demo`: broker, engine, ingestion and API in one process, embedded or real.

use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aggregator::Store;
use anyhow::Context;
use consumer::Probe;
use embedded::{Broker, Engine};
use metrics_exporter_prometheus::PrometheusHandle;
use query::Scope;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    api::{self, Bound},
    engine::EmbeddedEngine,
    ingestion,
    ready::Ready,
    secret,
    settings::Settings,
    shutdown::GRACE,
    telemetry,
};

/// The embedded broker keeps some 5 MB of each partition: many partitions make room for a backlog.
const EMBEDDED_PARTITIONS: u16 = 64;

/// Which parts are real, and where; those not named are embedded.
#[derive(Debug, Default)]
pub(crate) struct Real {
    /// Bootstrap servers of a Kafka.
    pub(crate) kafka: Option<String>,
    /// URL of a ClickHouse.
    pub(crate) clickhouse: Option<String>,
}

/// The parts, started but for the tasks that [`Stack::run`] runs.
pub(crate) struct Stack {
    settings: Settings,
    store: Store,
    http: Bound,
    api_key: String,
    engine: Option<EmbeddedEngine>,
    broker: Option<Broker>,
    _lock: std::fs::File,
}

impl Stack {
    /// Starts what is embedded, in `data_dir`, and brings the schema up.
    ///
    /// # Errors
    /// Where a part does not start; the message says which, and why.
    pub(crate) async fn start(mut settings: Settings, data_dir: PathBuf, real: Real) -> anyhow::Result<Self> {
        if let Some(url) = &real.clickhouse {
            settings.clickhouse.url.clone_from(url);
        }
        if let Some(servers) = &real.kafka {
            settings.kafka.bootstrap_servers.clone_from(servers);
        }
        settings.check()?;
        let http = Bound::new(settings.http.addr()).await?;
        let lock = lock(&data_dir)?;
        let api_key = secret::in_dir(&data_dir, secret::API_KEY)?;
        settings
            .auth
            .keys
            .add(&api_key, Scope::All)
            .context("the API key in the data directory is not usable beside auth.keys")?;

        let engine = if real.clickhouse.is_some() {
            None
        } else {
            let addr = ([127, 0, 0, 1], 0).into();
            let embedded = EmbeddedEngine::start(&settings.embedded, &data_dir, addr).await?;
            settings.clickhouse.url = embedded.engine.url();
            Engine::USER.clone_into(&mut settings.clickhouse.user);
            settings.clickhouse.password.clone_from(&embedded.password);
            Some(embedded)
        };
        let broker = if real.kafka.is_some() {
            None
        } else {
            let broker = start_broker(&settings.kafka)?;
            settings.kafka.bootstrap_servers = broker.bootstrap_servers();
            Some(broker)
        };

        let store = Store::new(&settings.clickhouse);
        store
            .migrate(|name| info!(name, "migrated"))
            .await
            .context("cannot bring the schema up")?;
        Ok(Self {
            settings,
            store,
            http,
            api_key,
            engine,
            broker,
            _lock: lock,
        })
    }

    /// The settings, with the addresses of the embedded parts in them.
    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where everything is.
    pub(crate) fn ready(&self) -> Ready {
        let mut ready = Ready {
            bootstrap_servers: Some(self.settings.kafka.bootstrap_servers.clone()),
            topic: Some(self.settings.kafka.topic.clone()),
            dead_letter_topic: Some(self.settings.kafka.dead_letter_topic.clone()),
            api_url: Some(self.http.url()),
            clickhouse_url: Some(self.settings.clickhouse.url.clone()),
            database: Some(self.settings.clickhouse.database.clone()),
            api_key: Some(self.api_key.clone()),
            ..Ready::default()
        };
        if let Some(engine) = &self.engine {
            engine.describe(&mut ready);
        }
        ready
    }

    /// Ingests and answers until `shutdown`, beside whatever else is in `tasks`. The first task that fails ends
    /// all of them.
    ///
    /// # Errors
    /// That of the first task that failed.
    pub(crate) async fn run(
        self,
        mut tasks: JoinSet<anyhow::Result<()>>,
        metrics: PrometheusHandle,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        tasks.spawn(telemetry::sum_up(metrics.clone(), shutdown.clone()));
        let kafka = self.settings.kafka.clone();
        let probe = Probe::new(&kafka)?;
        let router = query::router(
            self.settings.query(),
            self.store.clone(),
            api::checks(&self.store, probe),
            move || metrics.render(),
        );
        let (store, token) = (self.store, shutdown.clone());
        tasks.spawn(async move { ingestion::run(&kafka, store, token).await });
        tasks.spawn(self.http.serve(router, shutdown.clone()));

        let ended = run_to_end(tasks, &shutdown).await;
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
    warn!(
        "the embedded broker keeps records in memory: those not ingested yet are gone when this process ends"
    );
    Ok(broker)
}

/// Waits until every task has ended. The first that fails, and `shutdown`, ask the others to end too; those that
/// do not within [`GRACE`] are aborted.
///
/// # Errors
/// That of the first task that failed.
pub(crate) async fn run_to_end(
    mut tasks: JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    let mut settle = |ended: Result<anyhow::Result<()>, tokio::task::JoinError>| {
        let ended = ended.map_err(anyhow::Error::from).and_then(|ended| ended);
        if ended.is_err() && outcome.is_ok() {
            outcome = ended;
            shutdown.cancel();
        }
    };
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => {}
            ended = tasks.join_next() => match ended {
                Some(ended) => settle(ended),
                None => return outcome,
            },
        }
    }
    let rest = async {
        while let Some(ended) = tasks.join_next().await {
            settle(ended);
        }
    };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        warn!("not everything ended in time; what is not settled will be consumed again");
    }
    outcome
}

/// Makes the data directory, for its owner alone, and holds it for this process alone.
///
/// # Errors
/// Where it cannot be used, is in use, or holds the data of a build that this one cannot read.
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
