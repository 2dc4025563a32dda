//! Forgetting users: what they said and registered up to an instant goes, with the conversations in which nobody else spoke.
//!
//! Who is to be forgotten is entered first, by a keyed hash ([`crate::erasures`]): ingestion then takes nothing more of them.
//! What is there already, or comes from an insert that did not know of it yet, is asked for by a request that stays until it is
//! carried out, so that it can be interrupted anywhere and run twice. No statement names a user: what is to go is found by
//! requests and kept among them, and the deletions read a copy of it.
//!
//! One process erases or rebuilds at a time: what another has deleted and not made again yet would be taken for done.
//!
//! Facts go first, and rollups after them. What remains of the users and conversations is then made from the facts again: of
//! what is inserted meanwhile the facts are there before the rollups, so nothing is missed.

use std::{convert::Infallible, future::Future, time::Duration};

use clickhouse::Row;
use events::Timestamp;
use futures::future::try_join_all;
use serde::Deserialize;

use crate::{
    batch::SealedBatch,
    changes::Of,
    connection::Connection,
    erasures::{
        ERASED_CONVERSATIONS_TABLE, ERASURE_KEYS_TABLE, ERASURES_TABLE, ErasedUser, Erasures, Returned,
    },
    error::Error,
    rollup::views_into,
    store::Store,
    tables::{ChangeRow, ChangeRows, ErasureRequestRow, ErasureRequestRows, ErasureRow, ErasureRows, Rows},
};

/// Where it is kept what is still to be erased.
const REQUESTS_TABLE: &str = "erasure_requests";
/// Where each node has what is being erased.
const TARGETS_TABLE: &str = "erasure_targets";

/// What was found, as the statements name it: what a user said in a conversation, what they registered, and what names nobody in
/// one where nobody else spoke.
const SPOKE: &str = "'spoke'";
const REGISTERED: &str = "'registered'";
const LEFT: &str = "'left'";

/// Where messages of those who are to be forgotten are looked for, by what is asked for.
const AMONG: [(&str, &str); 2] = [
    ("user", "org IN (SELECT org FROM ${requests} WHERE of = 'user')"),
    (
        "conversation",
        "(org, conversation_id) IN (SELECT org, conversation_id FROM ${requests} WHERE of = 'conversation')",
    ),
];

/// What deletes the facts.
const DELETE_FACTS: [(&str, &str); 3] = [
    ("messages", include_str!("../sql/erase/messages.sql")),
    ("registrations", include_str!("../sql/erase/registrations.sql")),
    ("annotations", include_str!("../sql/erase/annotations.sql")),
];

/// What has rows of users, besides the facts.
const OF_USERS: [&str; 5] = [
    "active_hourly",
    "active_daily",
    "active_weekly",
    "users",
    "entered_registrations",
];

/// What has rows of conversations, besides the facts, with what changes these.
const OF_CONVERSATIONS: [(&str, [&str; 2]); 4] = [
    ("conversation_beginnings", [SPOKE, LEFT]),
    ("conversations_by_day", [SPOKE, LEFT]),
    ("conversation_topics", [LEFT, LEFT]),
    ("latest_annotations", [LEFT, LEFT]),
];

/// The rollups that are made from the facts again; days and weeks of activity are made from its hours as these come.
const MADE_AGAIN: [&str; 6] = [
    "users",
    "active_hourly",
    "conversation_beginnings",
    "conversations_by_day",
    "conversation_topics",
    "latest_annotations",
];

/// How often a process that erases or rebuilds says that it does.
const SIGN_INTERVAL: Duration = Duration::from_secs(5);

/// One that has not for so long, in milliseconds, has ended.
const SILENCE: u32 = 30_000;

/// What came of erasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Nothing is asked for.
    Nothing,
    /// Another process erases.
    Elsewhere,
    /// What so many requests asked for is erased.
    Requests(usize),
}

/// What is known of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row, Deserialize)]
pub struct Footprint {
    /// Records of their messages.
    pub messages: u64,
    /// Conversations in which they spoke.
    pub conversations: u64,
    /// Those of them in which nobody else did.
    pub alone: u64,
    /// Their registrations.
    pub registrations: u64,
}

impl Store {
    /// What is known of a user up to an instant: what [`Store::erase`] would take away.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn footprint(&self, org: &str, user_id: &str, until: Timestamp) -> Result<Footprint, Error> {
        let footprint = self
            .clickhouse
            .query(include_str!("../sql/footprint.sql"), org)
            .param("user_id", user_id)
            .param("until", until.as_millis())
            // What is logged of it would name the user.
            .with_setting("log_queries", "0");
        self.clickhouse.one(footprint).await
    }

    /// Enters who is to be forgotten by a batch, all of which is acknowledged, and asks for what of them may be there: by an
    /// insert that died, or by this one, if it did not know of them yet.
    pub(crate) async fn request_erasures_of(&self, batch: &SealedBatch) -> Result<(), Error> {
        let (id, mut rows) = (rand::random(), ErasureRequestRows::default());
        if batch.erased().len() > 0 {
            let erasures = self.current_erasures().await?;
            let mut erased = ErasureRows::default();
            for (org, user_id, erased_at) in batch.erased() {
                let user = erasures.user(org, user_id);
                erased.push(ErasureRow {
                    org,
                    user: user.0,
                    erased_at,
                });
                rows.push(request(id, org, Returned::Anything(user)));
            }
            if let Some(insert) = erased.into_insert() {
                self.send(&insert).await?;
            }
        }
        // From now on others keep them out. What they insert that did not know, they ask for themselves.
        let erasures = self.current_erasures().await?;
        for (org, returned) in &batch.returned {
            rows.push(request(id, org, *returned));
        }
        if erasures.differ(&batch.erasures) {
            for (org, returned) in returned_with(batch, &erasures) {
                rows.push(request(id, org, returned));
            }
        }
        match rows.into_insert() {
            Some(insert) => self.send(&insert).await,
            None => Ok(()),
        }
    }

    /// Erases what is asked for, unless another process does; `step` is told what is done next.
    ///
    /// Safe while events arrive, and to be interrupted. While it runs, what remains of the users and of their conversations with
    /// others may be missing from answers for some moments.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn erase(&self, step: impl FnMut(&str)) -> Result<Erased, Error> {
        let names = Names::of(self);
        let asked = self.asked(&names).await?;
        if asked.is_empty() {
            return Ok(Erased::Nothing);
        }
        let erased = self.alone(self.erase_alone(&names, &asked, step)).await?;
        Ok(erased.map_or(Erased::Elsewhere, |()| Erased::Requests(asked.len())))
    }

    /// Does what no two processes may do at once: delete rows and make them again. None where another does such work.
    pub(crate) async fn alone<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        let (names, run) = (Names::of(self), rand::random());
        self.sign(&names, run).await?;
        let others = names.fill(include_str!("../sql/erase/other_runs.sql"));
        let others = self
            .clickhouse
            .lookup(&others.replace("${run}", &run.to_string()));
        let done = if self.clickhouse.one::<u64>(others).await? > 0 {
            Ok(None)
        } else {
            tokio::select! {
                done = Box::pin(work) => done.map(Some),
                failed = self.sign_for_ever(&names, run) => failed.map(|never| match never {}),
            }
        };
        self.drop_requests(&names, &[run]).await?;
        done
    }

    /// The requests that there are.
    async fn asked(&self, names: &Names) -> Result<Vec<u64>, Error> {
        let asked = self
            .clickhouse
            .lookup(&names.fill(include_str!("../sql/erase/asked.sql")));
        self.clickhouse.rows(asked).await
    }

    /// Says that this process erases.
    async fn sign(&self, names: &Names, run: u64) -> Result<(), Error> {
        let sign = include_str!("../sql/erase/run.sql").replace("${run}", &run.to_string());
        self.change_any(names, &sign).await
    }

    async fn sign_for_ever(&self, names: &Names, run: u64) -> Result<Infallible, Error> {
        loop {
            tokio::time::sleep(SIGN_INTERVAL).await;
            self.sign(names, run).await?;
        }
    }

    async fn erase_alone(
        &self,
        names: &Names,
        asked: &[u64],
        mut step: impl FnMut(&str),
    ) -> Result<(), Error> {
        let nodes: Vec<Connection> = self
            .nodes()
            .into_iter()
            .map(|node| node.store.clickhouse)
            .collect();
        step("looking for what is to go");
        for node in &nodes {
            // One that died may still be at work.
            node.await_running_inserts().await?;
        }
        let orgs = self.find(&nodes, names).await?;
        if !orgs.is_empty() {
            let clear = names.fill(&format!("TRUNCATE TABLE ${{db}}.{TARGETS_TABLE}"));
            for node in &nodes {
                // One that died may have left some.
                node.change(&clear).await?;
                node.change(&names.fill(include_str!("../sql/erase/aim.sql")))
                    .await?;
            }
            self.delete_found(&nodes, names, &mut step).await?;
            step("making again what remains");
            self.make_again(&nodes, names).await?;
            for node in &nodes {
                node.change(&clear).await?;
            }
            self.enter_changes_of(&orgs).await?;
        }
        self.drop_requests(names, asked).await
    }

    /// Removes requests, with what was found of them.
    async fn drop_requests(&self, names: &Names, ids: &[u64]) -> Result<(), Error> {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let drop = format!(
            "ALTER TABLE ${{db}}.{REQUESTS_TABLE} DELETE WHERE id IN ({})",
            ids.join(",")
        );
        for node in self.nodes() {
            node.store.clickhouse.delete(&names.fill(&drop)).await?;
        }
        Ok(())
    }

    /// Finds what is to go, and returns the organisations of which anything is.
    async fn find(&self, nodes: &[Connection], names: &Names) -> Result<Vec<String>, Error> {
        for node in nodes {
            for (of, among) in AMONG {
                let spoke = include_str!("../sql/erase/find_spoke.sql").replace("${among}", among);
                node.find(&names.fill(&spoke.replace("${of}", of))).await?;
            }
            node.find(&names.fill(include_str!("../sql/erase/find_registered.sql")))
                .await?;
        }
        self.change_any(names, include_str!("../sql/erase/note_spoke.sql"))
            .await?;
        for node in nodes {
            for find in [
                include_str!("../sql/erase/find_alone.sql"),
                include_str!("../sql/erase/find_again.sql"),
            ] {
                node.find(&names.fill(find)).await?;
            }
        }
        self.change_any(names, include_str!("../sql/erase/note_alone.sql"))
            .await?;
        for node in nodes {
            node.find(&names.fill(include_str!("../sql/erase/find_left.sql")))
                .await?;
        }
        let orgs = self
            .clickhouse
            .lookup(&names.fill(include_str!("../sql/erase/found_orgs.sql")));
        self.clickhouse.rows(orgs).await
    }

    /// Runs a statement on any node.
    async fn change_any(&self, names: &Names, sql: &str) -> Result<(), Error> {
        self.clickhouse.find(&names.fill(sql)).await
    }

    async fn delete_found(
        &self,
        nodes: &[Connection],
        names: &Names,
        step: &mut impl FnMut(&str),
    ) -> Result<(), Error> {
        let facts = DELETE_FACTS.map(|(table, delete)| (table, delete.to_owned()));
        let of_users = OF_USERS.map(|table| {
            let delete = include_str!("../sql/erase/of_users.sql");
            (table, delete.replace("${table}", table))
        });
        let of_conversations = OF_CONVERSATIONS.map(|(table, of)| {
            let delete = include_str!("../sql/erase/of_conversations.sql");
            (
                table,
                delete.replace("${table}", table).replace("${of}", &of.join(", ")),
            )
        });
        for (table, delete) in facts.into_iter().chain(of_users).chain(of_conversations) {
            step(&format!("deleting from {table}"));
            let delete = names.fill(&delete);
            try_join_all(nodes.iter().map(|node| node.delete(&delete))).await?;
        }
        Ok(())
    }

    /// Makes from the facts what is still known of the users and conversations.
    async fn make_again(&self, nodes: &[Connection], names: &Names) -> Result<(), Error> {
        for view in MADE_AGAIN.into_iter().flat_map(views_into) {
            let found = match (view.target, view.source) {
                ("users" | "active_hourly", _) => format!(
                    "(org, reinterpretAsUInt128(sipHash128(user_id))) IN
                    (SELECT org, rollup_user FROM ${{db}}.{TARGETS_TABLE} WHERE of IN ({SPOKE}, {REGISTERED}))"
                ),
                (_, "annotations") => {
                    format!(
                        "(org, conversation_id) IN (SELECT org, conversation_id FROM ${{db}}.{TARGETS_TABLE} WHERE of = {LEFT})"
                    )
                }
                _ => format!(
                    "(org, conversation_id) IN
                    (SELECT org, conversation_id FROM ${{db}}.{TARGETS_TABLE} WHERE of IN ({SPOKE}, {LEFT}))"
                ),
            };
            let source = format!("(SELECT * FROM ${{db}}.{} WHERE {found})", view.source);
            let into = self.clickhouse.settings.spread_over_shards(view.target);
            let make = names.fill(&format!(
                "INSERT INTO ${{db}}.{into} {}",
                view.select_from(&source)
            ));
            for node in nodes {
                node.change(&make).await?;
            }
        }
        Ok(())
    }

    /// Enters that all that is known of these organisations may be another.
    async fn enter_changes_of(&self, orgs: &[String]) -> Result<(), Error> {
        let mut changes = ChangeRows::default();
        for org in orgs {
            let (writer, number) = self.changes.next();
            changes.push(ChangeRow {
                org,
                of: Of::Messages.as_str(),
                since: 0,
                writer,
                number,
            });
        }
        match changes.into_insert() {
            Some(insert) => self.send(&insert).await,
            None => Ok(()),
        }
    }
}

/// What of those who are forgotten may be in a batch: each name in it may be that of a user of each organisation in it.
fn returned_with<'a>(
    batch: &'a SealedBatch,
    erasures: &'a Erasures,
) -> impl Iterator<Item = (&'a str, Returned)> {
    let orgs = erasures.orgs().filter(|org| batch.has_name(org));
    let users = orgs.flat_map(move |org| {
        let users = batch.names().map(move |name| erasures.user(org, name));
        let erased = users.filter(move |user| erasures.has_user(org, *user));
        erased.map(move |user| (org, Returned::Anything(user)))
    });
    let conversations = batch.conversations();
    let erased = conversations.filter(move |(org, id)| erasures.has_conversation(org, *id));
    users.chain(erased.map(|(org, id)| (org, Returned::Conversation(id))))
}

/// Asks for what has come again.
fn request(id: u64, org: &str, returned: Returned) -> ErasureRequestRow<'_> {
    let (of, user, conversation_id) = match returned {
        Returned::Messages(ErasedUser(user), id) => ("conversation", user, id),
        Returned::Anything(ErasedUser(user)) => ("user", user, 0),
        Returned::Registrations(ErasedUser(user)) => ("registrations", user, 0),
        Returned::Conversation(id) => ("conversation", 0, id),
    };
    ErasureRequestRow {
        id,
        org,
        of,
        user,
        rollup_user: 0,
        conversation_id,
        until: 0,
    }
}

/// What statements name the tables by, which each node reads its own of, and those of all nodes.
struct Names([(&'static str, String); 6]);

impl Names {
    fn of(store: &Store) -> Self {
        let settings = &store.clickhouse.settings;
        let database = format!(
            "`{}`",
            settings.database.replace('\\', "\\\\").replace('`', "\\`")
        );
        let table = |table: &str| format!("{database}.{}", settings.spread_over_shards(table));
        Self([
            ("${requests}", table(REQUESTS_TABLE)),
            ("${erasures}", table(ERASURES_TABLE)),
            ("${erased_conversations}", table(ERASED_CONVERSATIONS_TABLE)),
            ("${keys}", table(ERASURE_KEYS_TABLE)),
            ("${db}", database),
            ("${silence}", SILENCE.to_string()),
        ])
    }

    fn fill(&self, sql: &str) -> String {
        let Self(names) = self;
        let filled = names.iter();
        filled.fold(sql.to_owned(), |sql, (name, table)| sql.replace(name, table))
    }
}

impl Connection {
    /// Inserts what is found among the rows of a node, by what is asked for on all of them.
    async fn find(&self, sql: &str) -> Result<(), Error> {
        let find = self
            .maintenance(sql)
            .with_setting("distributed_product_mode", "global");
        let limit = self.settings.maintenance_timeout();
        self.within(limit, find.execute()).await
    }

    /// Deletes rows from the files of a table, and returns once they are.
    async fn delete(&self, sql: &str) -> Result<(), Error> {
        let delete = self
            .maintenance(sql)
            .with_setting("mutations_sync", "2")
            // Each replica reads the same requests.
            .with_setting("allow_nondeterministic_mutations", "1");
        let limit = self.settings.maintenance_timeout();
        self.within(limit, delete.execute()).await
    }
}
