//! The three endpoints, over HTTP, on a large organisation.

use std::{
    fmt,
    time::{Duration, Instant},
};

use aggregator::{Batch, Store};
use anyhow::{Context, ensure};
use chrono::{DateTime, Days};
use events::{Body, Event, Message, Registration, Role, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use super::{Part, Stack};
use crate::{clock, progress};

const ORG: &str = "bench";
const KEY: &str = "bench";
const DAYS: u32 = 90;
const DAY_MILLIS: i64 = 86_400_000;
/// Of seven users of the organisation, one is active on a day.
const USERS_PER_ACTIVE: u32 = 7;
const MENTORS: u32 = 50;
const REQUESTS: usize = 200;

/// How long each endpoint takes.
#[derive(Debug)]
pub(super) struct Figures {
    users: u32,
    endpoints: Vec<(&'static str, Duration, Duration)>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "queries: {DAYS} days of {} active users a day, {REQUESTS} requests one by one",
            self.users
        )?;
        for (name, median, worst) in &self.endpoints {
            let millis = |duration: &Duration| duration.as_secs_f64() * 1e3;
            writeln!(
                f,
                "  {name:44} median {:7.1} ms   p99 {:7.1} ms",
                millis(median),
                millis(worst)
            )?;
        }
        Ok(())
    }
}

/// Fills an organisation and asks about it.
pub(super) async fn measure(stack: &Stack, users: u32) -> anyhow::Result<Figures> {
    let last = DateTime::from_timestamp_millis(clock::now().as_millis())
        .context("a clock gone wild")?
        .date_naive();
    let first = last
        .checked_sub_days(Days::new(u64::from(DAYS) - 1))
        .context("a clock gone wild")?;
    fill(
        &Store::new(&stack.clickhouse()),
        users,
        Timestamp::start_of(first),
    )
    .await?;

    let mut variables = stack.variables.clone();
    variables.push(("ROLLCALL__AUTH__KEYS".to_owned(), format!("{KEY}={ORG}")));
    let part = Part::start(
        "serve",
        &["serve", "--http-addr", "127.0.0.1:0"],
        &variables,
        &stack.dir,
    )
    .await?;
    let base = part
        .ready
        .api_url
        .clone()
        .context("serve does not tell its address")?;
    let range = format!("start_date={first}&end_date={last}");
    let asked = [
        ("usage-summary, by day", format!("usage-summary/?{range}")),
        (
            "usage-summary, by hour",
            format!("usage-summary/?{range}&group_by=hour"),
        ),
        (
            "user-cohorts-over-time, by day",
            format!("user-cohorts-over-time/?{range}"),
        ),
        (
            "user-cohorts-over-time, by day, one mentor",
            format!("user-cohorts-over-time/?{range}&mentor_id=mentor-0"),
        ),
        (
            "transcripts, a page of 100",
            format!("transcripts/?{range}&page=1&page_size=100"),
        ),
    ];
    let client = reqwest::Client::new();
    let bar = progress::events("asking", u64::try_from(asked.len() * REQUESTS)?);
    let mut endpoints = Vec::new();
    for (name, path) in asked {
        let url = format!("{base}/api/ai-analytics/orgs/{ORG}/users/me/{path}");
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let began = Instant::now();
            let answer = client
                .get(&url)
                .header("Authorization", format!("Api-Token {KEY}"))
                .send()
                .await?;
            ensure!(answer.status().is_success(), "{url}: {}", answer.status());
            answer.bytes().await?;
            times.push(began.elapsed());
            bar.inc(1);
        }
        times.sort_unstable();
        endpoints.push((name, times[REQUESTS / 2], times[REQUESTS * 99 / 100]));
    }
    bar.finish_and_clear();
    Ok(Figures { users, endpoints })
}

/// One message of each active user a day, and the registration of every user at some time before or in the range.
async fn fill(store: &Store, users: u32, start: Timestamp) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(1);
    let population = users * USERS_PER_ACTIVE;
    let bar = progress::events("filling an organisation", u64::from(users) * u64::from(DAYS));
    let mut batch = Batch::new();
    for user in 0..population {
        let registered_at =
            start.as_millis() + rng.random_range(-2 * i64::from(DAYS)..i64::from(DAYS)) * DAY_MILLIS;
        batch.append(&event(
            start,
            Body::Registration(Registration {
                user_id: user.to_string().into(),
                registered_at: Timestamp::from_millis(registered_at),
            }),
        ));
    }
    store.insert(&batch.seal()).await?;
    for day in 0..i64::from(DAYS) {
        let mut batch = Batch::new();
        for _ in 0..users {
            let time = start.as_millis() + day * DAY_MILLIS + rng.random_range(0..DAY_MILLIS);
            batch.append(&event(
                Timestamp::from_millis(time),
                Body::Message(Message {
                    message_id: Uuid::from_u128(rng.random()),
                    conversation_id: Uuid::from_u128(rng.random()),
                    role: Role::User,
                    user_id: Some(rng.random_range(0..population).to_string().into()),
                    mentor_id: Some(format!("mentor-{}", rng.random_range(0..MENTORS)).into()),
                    content: "How do I read this table, and what does the second column mean?".into(),
                    model: None,
                }),
            ));
        }
        store.insert(&batch.seal()).await?;
        bar.inc(u64::from(users));
    }
    bar.finish_and_clear();
    Ok(())
}

fn event(time: Timestamp, body: Body<'_>) -> Event<'_> {
    Event {
        org: ORG.into(),
        id: "bench".into(),
        time,
        body,
    }
}
