//! A past of any length, made by the engine itself: it goes into the message table in bulk, and views that define the
//! rollups make them of it.

use std::ops::Range;

use events::{Day, Timestamp};

use crate::{load::START, stack::Stack};

/// The days of 2025 and as many before as it takes: every past ends with the year.
const LAST_DAY: i64 = 364;
/// One in this many users of an organisation is active on a day.
const USERS_PER_ACTIVE: u32 = 7;

/// Who is active, and since when.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) name: String,
    /// Active users a day; each has one conversation a day.
    pub(crate) users: u32,
    /// Days of the past.
    pub(crate) days: u32,
}

impl Org {
    /// An organisation that is named after its size.
    pub(crate) fn of(users: u32, days: u32) -> Self {
        Self {
            name: format!("org-of-{users}"),
            users,
            days,
        }
    }

    /// Puts those messages of every conversation that have these numbers into a database.
    pub(crate) async fn talk(
        &self,
        stack: &Stack,
        database: &str,
        messages: Range<u32>,
    ) -> anyhow::Result<()> {
        self.say(stack, database, messages, 0..self.conversations()).await
    }

    /// Has a user say one thing more on the last day: the message of that number, which must be even and above all others.
    pub(crate) async fn go_on(&self, stack: &Stack, database: &str, message: u32) -> anyhow::Result<()> {
        let last = self.conversations() - 1..self.conversations();
        self.say(stack, database, message..message + 1, last).await
    }

    async fn say(
        &self,
        stack: &Stack,
        database: &str,
        messages: Range<u32>,
        conversations: Range<u64>,
    ) -> anyhow::Result<()> {
        let of_each = u64::from(messages.end - messages.start);
        let statement = include_str!("history/messages.sql")
            .replace("${first_message}", &messages.start.to_string())
            .replace("${messages}", &of_each.to_string())
            .replace("${offset}", &(conversations.start * of_each).to_string())
            .replace(
                "${rows}",
                &((conversations.end - conversations.start) * of_each).to_string(),
            );
        self.insert(stack, database, &statement).await
    }

    fn conversations(&self) -> u64 {
        u64::from(self.users) * u64::from(self.days)
    }

    /// Registers every user, on some day of the year before the past began or of the year after.
    pub(crate) async fn register(&self, stack: &Stack, database: &str) -> anyhow::Result<()> {
        self.insert(stack, database, include_str!("history/registrations.sql"))
            .await
    }

    async fn insert(&self, stack: &Stack, database: &str, statement: &str) -> anyhow::Result<()> {
        let statement = statement
            .replace("${org}", &self.name)
            .replace("${users}", &self.users.to_string())
            .replace("${population}", &(self.users * USERS_PER_ACTIVE).to_string())
            .replace(
                "${start}",
                &Timestamp::start_of(first_day(self.days)).as_millis().to_string(),
            );
        stack.sql().run_in(database, &statement).await.map(drop)
    }
}

/// The first and the last of the last `days` days of a past.
pub(crate) fn range(days: u32) -> (Day, Day) {
    (first_day(days), first_day(1))
}

fn first_day(days: u32) -> Day {
    START.day() + (LAST_DAY + 1 - i64::from(days))
}
