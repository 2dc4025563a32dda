//! The API over HTTP, as its users call it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    stack::{KEY, Role, Stack},
    times::Times,
};

/// The minimum number of times that a question is asked, however long that takes.
const MIN_SAMPLES: usize = 10;

/// The status of a question that the API did not answer within its timeout.
pub(crate) const TIMED_OUT: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// The status of a question about an organisation that does not exist yet.
pub(crate) const NO_SUCH_ORG: StatusCode = StatusCode::NOT_FOUND;

/// Some `rollcall serve` over one database, which are asked in turns, as a load balancer does.
#[derive(Debug)]
pub(crate) struct Api {
    servers: Vec<Role>,
    /// How many requests were made.
    requests: AtomicUsize,
    http: reqwest::Client,
}

/// For how long one question is repeated, and how often at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repetition {
    /// How many requests are made at the same time.
    pub(crate) askers: usize,
    pub(crate) questions: usize,
    pub(crate) time: Duration,
}

impl Api {
    pub(crate) async fn start(stack: &Stack, database: &str) -> anyhow::Result<Self> {
        Self::of_servers(stack, database, 1).await
    }

    pub(crate) async fn of_servers(stack: &Stack, database: &str, servers: usize) -> anyhow::Result<Self> {
        let mut started = Vec::new();
        for _ in 0..servers {
            started.push(stack.serve(database).await?);
        }
        Ok(Self {
            servers: started,
            requests: AtomicUsize::new(0),
            http: reqwest::Client::new(),
        })
    }

    /// The greatest peak memory of one, in MiB.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        let mut peaks = self.servers.iter().map(|server| server.part.peak_mib());
        peaks.try_fold(0.0, |most, peak| Ok(peak?.max(most)))
    }

    /// The answer to a question about an organisation, such as `usage-summary/?start_date=…`; none where the API refuses
    /// it with that status. Any other refusal is an error.
    pub(crate) async fn ask(
        &self,
        org: &str,
        question: &str,
        refusal: StatusCode,
    ) -> anyhow::Result<Option<Value>> {
        let answer = self.request(org, question).send().await?;
        if answer.status() == refusal {
            return Ok(None);
        }
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{question}: {status}: {text}");
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Reads an answer of any size to its end without keeping it. Returns its size in bytes.
    pub(crate) async fn read_through(&self, org: &str, question: &str) -> anyhow::Result<u64> {
        let mut answer = self.request(org, question).send().await?;
        ensure!(answer.status().is_success(), "{question}: {}", answer.status());
        let mut bytes = 0;
        while let Some(chunk) = answer.chunk().await? {
            bytes += u64::try_from(chunk.len())?;
        }
        Ok(bytes)
    }

    /// Asks one question repeatedly; how long each answer took to its last byte. No times where an answer took longer
    /// than the API waits for one.
    pub(crate) async fn time(
        &self,
        org: &str,
        question: &str,
        repetition: Repetition,
    ) -> anyhow::Result<Times> {
        let requests: anyhow::Result<Vec<_>> = self
            .servers
            .iter()
            .map(|_| Ok(self.request(org, question).build()?))
            .collect();
        let requests = Arc::new(requests?);
        let mut asking = JoinSet::new();
        for asker in 0..repetition.askers {
            let (http, requests) = (self.http.clone(), Arc::clone(&requests));
            asking.spawn(async move {
                let (began, mut times) = (Instant::now(), Vec::new());
                while times.len() < MIN_SAMPLES.div_ceil(repetition.askers)
                    || (times.len() < repetition.questions / repetition.askers
                        && began.elapsed() < repetition.time)
                {
                    let asked = Instant::now();
                    let request = &requests[(asker + times.len()) % requests.len()];
                    let again = request.try_clone();
                    let again = again.ok_or_else(|| anyhow::anyhow!("a question cannot be asked again"))?;
                    let answer = http.execute(again).await?;
                    let status = answer.status();
                    answer.bytes().await?;
                    if status == TIMED_OUT {
                        return Ok(None);
                    }
                    ensure!(status.is_success(), "{}: {status}", request.url());
                    times.push(asked.elapsed());
                }
                Ok(Some(times))
            });
        }
        let mut times = Times::default();
        while let Some(asked) = asking.join_next().await {
            match asked?? {
                Some(asked) => times.extend(asked),
                None => return Ok(Times::default()),
            }
        }
        Ok(times)
    }

    fn request(&self, org: &str, question: &str) -> reqwest::RequestBuilder {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let url = &self.servers[number % self.servers.len()].url;
        self.http
            .get(format!("{url}/api/ai-analytics/orgs/{org}/users/me/{question}"))
            .header("Authorization", format!("Api-Token {KEY}"))
    }
}
