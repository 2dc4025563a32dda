//! A history of any length, made by the engine itself: it is inserted into the message table in bulk, and views that define
//! the rollups fill them.

use std::ops::Range;

use events::{Day, Timestamp};

use crate::{load::START, stack::Stack};

/// The last day of 2025, counted from its first: every history ends with the year.
const LAST_DAY: i64 = 364;
/// One in this many users of an organisation is active on a day.
const USERS_PER_ACTIVE: u32 = 7;

/// An organisation and the size of its history.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) name: String,
    /// Active users a day; each has one conversation a day.
    pub(crate) users: u32,
    /// Days of the history.
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

    /// Inserts the messages with these numbers of every conversation into a database.
    pub(crate) async fn insert_messages(
        &self,
        stack: &Stack,
        database: &str,
        messages: Range<u32>,
    ) -> anyhow::Result<()> {
        self.insert_range(stack, database, messages, 0..self.conversations())
            .await
    }

    /// Inserts one more message of a user on the last day. Its number must be even and above all others.
    pub(crate) async fn insert_one_more(
        &self,
        stack: &Stack,
        database: &str,
        message: u32,
    ) -> anyhow::Result<()> {
        let last = self.conversations() - 1..self.conversations();
        self.insert_range(stack, database, message..message + 1, last)
            .await
    }

    async fn insert_range(
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
        self.insert(stack, (database, "messages"), &statement).await
    }

    fn conversations(&self) -> u64 {
        u64::from(self.users) * u64::from(self.days)
    }

    /// Annotates every conversation of the last `days` days: one in twenty of them has a topic of that name.
    pub(crate) async fn annotate(&self, stack: &Stack, database: &str, days: u32) -> anyhow::Result<()> {
        let conversations = u64::from(self.users) * u64::from(days.min(self.days));
        let statement = include_str!("history/annotations.sql")
            .replace("${first}", &(self.conversations() - conversations).to_string())
            .replace("${conversations}", &conversations.to_string());
        self.insert(stack, (database, "annotations"), &statement).await
    }

    /// Registers every user, on some day of the year before the history begins or of the year after.
    pub(crate) async fn register(&self, stack: &Stack, database: &str) -> anyhow::Result<()> {
        let statement = include_str!("history/registrations.sql");
        self.insert(stack, (database, "registrations"), statement).await
    }

    async fn insert(
        &self,
        stack: &Stack,
        (database, table): (&str, &str),
        statement: &str,
    ) -> anyhow::Result<()> {
        let statement = statement
            .replace("${into}", &stack.into(table))
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

/// The first and the last of the last `days` days of a history.
pub(crate) fn range(days: u32) -> (Day, Day) {
    (first_day(days), first_day(1))
}

fn first_day(days: u32) -> Day {
    START.day() + (LAST_DAY + 1 - i64::from(days))
}
