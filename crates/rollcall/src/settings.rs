//! The configuration: a TOML file, over it the environment, over it the command line.
//!
//! Environment variables are read here alone. A test compares the reference in `deploy/rollcall.toml` with these
//! types. `sources` reads the file and the environment, and names them in errors.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use config::Environment;
use query::{Keys, Origins, Prefix};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{api::parse_addr, cli::CommonOptions, ready::Ready};
use sources::Sources;

mod effective;
mod sources;
#[cfg(test)]
mod tests;

/// The default port of the API.
const API_PORT: u16 = 8080;
/// The default port of `ingest`, which runs next to `serve`.
const INGEST_PORT: u16 = 8081;

/// Every setting. A field that is left out has its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Kafka, and how records are batched.
    pub(crate) kafka: consumer::Settings,
    /// ClickHouse.
    pub(crate) clickhouse: aggregator::Settings,
    /// The API.
    pub(crate) http: HttpSettings,
    /// Who may ask.
    pub(crate) auth: AuthSettings,
    /// The embedded parts.
    pub(crate) embedded: EmbeddedSettings,
    /// Logs.
    pub(crate) log: LogSettings,
    /// What is named in the file or the environment.
    #[serde(skip)]
    pub(crate) named: Named,
}

/// Where the file or the environment names a service, or the group: `up` uses it then instead of an embedded one, or of
/// one of its own. None where the default holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    /// The file or the variable that `kafka.bootstrap_servers` is in.
    pub(crate) kafka: Option<String>,
    /// The file or the variable that `clickhouse.url` is in.
    pub(crate) clickhouse: Option<String>,
    /// The file or the variable that `kafka.group_id` is in.
    pub(crate) group: Option<String>,
}

/// The section `http`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSettings {
    /// The address to serve on; port 0 picks a free one. Default `127.0.0.1:8080`, and for `ingest` `127.0.0.1:8081`.
    #[serde(deserialize_with = "addr")]
    pub(crate) addr: Option<SocketAddr>,
    /// A path that the API is served under, in addition to being served without it. Default none.
    pub(crate) prefix: Prefix,
    /// The origins whose pages may read the API's answers, as `https://a.example,https://b.example`, or `*`. Default none.
    pub(crate) cors_origins: Origins,
    /// How long a request may take, in seconds. Default 30.
    pub(crate) query_timeout_secs: u64,
    /// The maximum number of requests that ask ClickHouse at the same time, besides whole lists. Default 32.
    pub(crate) concurrent_queries: NonZeroUsize,
    /// The maximum number of whole lists of which more is read from ClickHouse at the same time. Default 1.
    pub(crate) concurrent_lists: NonZeroUsize,
    /// The maximum number of requests with one key that wait for an answer. Default 256.
    pub(crate) requests_per_key: NonZeroUsize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let query = query::Settings::default();
        Self {
            addr: None,
            prefix: query.prefix,
            cors_origins: query.cors_origins,
            query_timeout_secs: query.query_timeout.as_secs(),
            concurrent_queries: query.concurrent_queries,
            concurrent_lists: query.concurrent_lists,
            requests_per_key: query.requests_per_key,
        }
    }
}

/// The section `auth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthSettings {
    /// API keys and the organisations that each opens, as `KEY=org1,org2;KEY2=*`. Default none: `up` and `demo` make a key.
    pub(crate) keys: Keys,
    /// Organisations that exist before any event of theirs has arrived, as `org1,org2`. Default none.
    pub(crate) orgs: String,
    /// How often the keys in ClickHouse are read, in seconds: a revoked one is refused after that. Default 5.
    pub(crate) refresh_secs: u64,
    /// How long they hold once they were read, in seconds, while ClickHouse does not answer. Default 300.
    pub(crate) max_age_secs: u64,
    /// The maximum number of requests with one key in a second; 0: any number. Default 1,000.
    pub(crate) requests_per_second: u32,
    /// How many of them may come at once after a pause. Default 1,000.
    pub(crate) burst: NonZeroU32,
}

impl Default for AuthSettings {
    fn default() -> Self {
        let query = query::Settings::default();
        Self {
            keys: query.keys,
            orgs: String::new(),
            refresh_secs: 5,
            max_age_secs: 300,
            requests_per_second: query.requests_per_second,
            burst: query.burst,
        }
    }
}

/// The section `embedded`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EmbeddedSettings {
    /// Where embedded parts keep their data. Default `rollcall` in `$XDG_DATA_HOME` or `~/.local/share`.
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the engine is kept once it is fetched. Default `rollcall` in `$XDG_CACHE_HOME` or `~/.cache`.
    pub(crate) cache_dir: Option<PathBuf>,
    /// An engine (`libchdb.so`) to use instead of fetching one. Default none.
    pub(crate) engine: Option<PathBuf>,
}

/// The section `log`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// What is logged, as `tracing` directives. Default `info`; for `demo`, which prints what matters,
    /// `warn`.
    pub(crate) filter: Option<String>,
    /// `text` or `json`. Default `text`.
    pub(crate) format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

impl Settings {
    /// Reads the settings of a command.
    ///
    /// # Errors
    /// One line that names the setting at fault.
    pub(crate) fn load(common: &CommonOptions) -> anyhow::Result<Self> {
        Self::layered(common, Environment::default())
    }

    fn layered(common: &CommonOptions, environment: Environment) -> anyhow::Result<Self> {
        let sources = Sources::read(common.config.as_deref(), environment)?;
        let mut settings: Self = sources.settings()?;
        settings.named = Named {
            kafka: sources.origin("kafka.bootstrap_servers"),
            clickhouse: sources.origin("clickhouse.url"),
            group: sources.origin("kafka.group_id"),
        };
        settings.http.addr = common.http_addr.or(settings.http.addr);
        settings.embedded.data_dir = common.data_dir.clone().or(settings.embedded.data_dir);
        settings.check()?;
        Ok(settings)
    }

    /// The settings of a command that were loaded, as a TOML file, with secrets masked and where each setting comes from.
    ///
    /// # Errors
    /// One line that names the file, where it cannot be read or is not TOML.
    pub(crate) fn effective(common: &CommonOptions) -> anyhow::Result<String> {
        effective::render(&Sources::read(common.config.as_deref(), Environment::default())?)
    }

    /// Uses the Kafka and the ClickHouse of a process that runs.
    pub(crate) fn use_running(&mut self, running: Ready) {
        let (kafka, clickhouse) = (&mut self.kafka, &mut self.clickhouse);
        let urls = running.clickhouse_urls.map(|urls| urls.join(","));
        clickhouse.cluster = running.cluster;
        for (setting, found) in [
            (&mut kafka.bootstrap_servers, running.bootstrap_servers),
            (&mut kafka.topic, running.topic),
            (&mut kafka.dead_letter_topic, running.dead_letter_topic),
            (&mut kafka.group_id, running.group_id),
            (&mut clickhouse.url, urls.or(running.clickhouse_url)),
            (&mut clickhouse.database, running.database),
            (&mut clickhouse.user, running.clickhouse_user),
            (&mut clickhouse.password, running.clickhouse_password),
        ] {
            if let Some(found) = found {
                *setting = found;
            }
        }
    }

    /// The settings of the query service.
    pub(crate) fn query(&self) -> query::Settings {
        query::Settings {
            prefix: self.http.prefix.clone(),
            cors_origins: self.http.cors_origins.clone(),
            keys: self.auth.keys.clone(),
            orgs: self.auth.org_names().map(str::to_owned).collect::<BTreeSet<_>>(),
            query_timeout: Duration::from_secs(self.http.query_timeout_secs),
            concurrent_queries: self.http.concurrent_queries,
            concurrent_lists: self.http.concurrent_lists,
            requests_per_key: self.http.requests_per_key,
            requests_per_second: self.auth.requests_per_second,
            burst: self.auth.burst,
        }
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// One line that names the setting at fault.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if let Some(org) = self.auth.org_names().find(|org| !query::keys::is_org(org)) {
            bail!("auth.orgs: {org:?} is not an organisation: 1 to 64 of [A-Za-z0-9._-]");
        }
        if self.auth.max_age_secs < self.auth.refresh_secs {
            bail!("auth.max_age_secs: must not be less than auth.refresh_secs");
        }
        let clickhouse = &self.clickhouse;
        let mut paths = BTreeSet::new();
        for url in clickhouse.urls() {
            // The message does not repeat the value: it may hold a password.
            let url = reqwest::Url::parse(url).ok();
            match url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                None => bail!(
                    "clickhouse.url: must be http://HOST:PORT or https://HOST:PORT, or several of them, comma-separated"
                ),
                Some(url)
                    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() =>
                {
                    bail!(
                        "clickhouse.url: must not hold a user, a password or a query; set clickhouse.user and \
                         clickhouse.password instead"
                    )
                }
                Some(url) => paths.insert(url.path().to_owned()),
            };
        }
        if paths.len() > 1 {
            bail!("clickhouse.url: all of it must have the same path");
        }
        clickhouse.validate().map_err(anyhow::Error::msg)?;
        if clickhouse.database.trim().is_empty() {
            bail!("clickhouse.database: must not be empty");
        }
        for (setting, seconds) in [
            ("auth.refresh_secs", self.auth.refresh_secs),
            ("http.query_timeout_secs", self.http.query_timeout_secs),
            ("clickhouse.query_timeout_secs", clickhouse.query_timeout_secs),
            ("clickhouse.insert_timeout_secs", clickhouse.insert_timeout_secs),
            ("clickhouse.erase_interval_secs", clickhouse.erase_interval_secs),
            (
                "clickhouse.maintenance_timeout_secs",
                clickhouse.maintenance_timeout_secs,
            ),
        ] {
            if seconds == 0 {
                bail!("{setting}: must be at least 1");
            }
        }
        if let Some(engine) = &self.embedded.engine
            && !engine.is_file()
        {
            bail!("embedded.engine: there is no file {}", engine.display());
        }
        self.kafka.validate()?;
        Ok(())
    }
}

impl HttpSettings {
    /// The address to serve the API on.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or_else(|| loopback(API_PORT))
    }

    /// The address to serve the health and the metrics of `ingest` on.
    pub(crate) fn ingest_addr(&self) -> SocketAddr {
        self.addr.unwrap_or_else(|| loopback(INGEST_PORT))
    }
}

/// An address of this machine that others cannot reach.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl AuthSettings {
    fn org_names(&self) -> impl Iterator<Item = &str> {
        self.orgs.split(',').map(str::trim).filter(|org| !org.is_empty())
    }
}

impl EmbeddedSettings {
    /// Where embedded parts keep their data.
    ///
    /// # Errors
    /// Where neither a setting nor the environment names one.
    pub(crate) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        directory(self.data_dir.as_deref(), "XDG_DATA_HOME", ".local/share")
            .context("set embedded.data_dir or --data-dir: there is no HOME for a default")
    }

    /// Where the engine is kept.
    ///
    /// # Errors
    /// Where neither a setting nor the environment names one.
    pub(crate) fn cache_dir(&self) -> anyhow::Result<PathBuf> {
        directory(self.cache_dir.as_deref(), "XDG_CACHE_HOME", ".cache")
            .context("set embedded.cache_dir: there is no HOME for a default")
    }
}

fn addr<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_addr(&text).map(Some).map_err(D::Error::custom)
}

/// The directory that is set, else `rollcall` below one of the XDG base directories.
#[expect(
    clippy::disallowed_methods,
    reason = "environment variables are read here alone"
)]
fn directory(set: Option<&Path>, base: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let set = set.filter(|path| !path.as_os_str().is_empty());
    set.map(Path::to_owned).or_else(|| {
        let base = absolute(base).or_else(|| Some(absolute("HOME")?.join(below_home)))?;
        Some(base.join("rollcall"))
    })
}
