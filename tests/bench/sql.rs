//! SQL over the engine's HTTP interface.

use std::time::Duration;

use anyhow::{Context, bail};

/// How long a statement may take: some read all messages.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3 * 3600);

/// The engine's errors for a statement that took too long, or too much memory.
const TOO_MUCH: [&str; 2] = ["(TIMEOUT_EXCEEDED)", "(MEMORY_LIMIT_EXCEEDED)"];

/// The engine's HTTP interface.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    http: reqwest::Client,
    settings: aggregator::Settings,
}

impl Sql {
    pub(crate) fn new(settings: &aggregator::Settings) -> Self {
        Self {
            http: reqwest::Client::new(),
            settings: settings.clone(),
        }
    }

    /// Each node.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Self> {
        self.settings.urls().map(|url| {
            let mut settings = self.settings.clone();
            url.clone_into(&mut settings.url);
            Self {
                http: self.http.clone(),
                settings,
            }
        })
    }

    /// Runs a statement. Returns its rows as tab-separated lines.
    pub(crate) async fn run(&self, statement: &str) -> anyhow::Result<String> {
        self.run_in("default", statement).await
    }

    /// Runs a statement in a database.
    pub(crate) async fn run_in(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let answer = self.run_within(database, statement, STATEMENT_TIMEOUT).await?;
        answer.context("a statement took too much time or memory")
    }

    /// Runs a statement in a database; none where it takes longer than `limit`, or too much memory.
    pub(crate) async fn run_within(
        &self,
        database: &str,
        statement: &str,
        limit: Duration,
    ) -> anyhow::Result<Option<String>> {
        let seconds = limit.as_secs();
        let request = self
            .http
            .post(format!(
                "{}/?database={database}&max_execution_time={seconds}&distributed_foreground_insert=1",
                self.settings.urls().next().unwrap_or_default()
            ))
            .header("X-ClickHouse-User", &self.settings.user)
            .header("X-ClickHouse-Key", &self.settings.password)
            .timeout(STATEMENT_TIMEOUT)
            .body(statement.to_owned());
        let answer = request.send().await.context("the engine does not answer")?;
        let status = answer.status();
        let text = answer.text().await.context("the engine ended its answer early")?;
        if TOO_MUCH.iter().any(|error| text.contains(error)) {
            return Ok(None);
        }
        if !status.is_success() {
            bail!("the engine refuses a statement: {text}");
        }
        Ok(Some(text))
    }

    /// The number that a statement returns.
    pub(crate) async fn number(&self, database: &str, statement: &str) -> anyhow::Result<u64> {
        let text = self.run_in(database, statement).await?;
        text.trim()
            .parse()
            .with_context(|| format!("{text:?} is no number"))
    }
}
