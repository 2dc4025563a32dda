//! Enters since when the past is another: see [`crate::changes`].

use std::collections::HashMap;

use events::Timestamp;

use crate::{
    batch::SealedBatch,
    changes::{HOUR, Of},
    conversations::CHUNK,
    error::Error,
    store::Store,
    tables::{ChangeRow, ChangeRows, Rows},
};

/// The number of users that are looked up at once, and of conversations that are looked up at all: beyond, all of their
/// organisation may be another.
const LOOKED_UP: usize = 10_000;

/// Since when more is known of each organisation, in milliseconds since 1970, by what changes it.
#[derive(Default)]
struct Earliest(HashMap<(String, Of), i64>);

impl Earliest {
    fn note(&mut self, org: &str, of: Of, at: i64) {
        let earliest = self.0.entry((org.to_owned(), of)).or_insert(at);
        *earliest = at.min(*earliest);
    }
}

impl Store {
    /// Enters since when the past is another, if any of a batch, all of which is acknowledged, changes a period that has
    /// ended. A batch that is inserted again is entered again; of registrations, those that are not noted as entered.
    pub(crate) async fn enter_changes(
        &self,
        batch: &SealedBatch,
        clock: impl Fn() -> Timestamp,
    ) -> Result<(), Error> {
        let mut earliest = Earliest::default();
        for (org, at) in &batch.earliest {
            earliest.note(org, Of::Messages, *at);
        }
        let mut noted = Vec::new();
        for (org, registrations) in &batch.registrations {
            for registrations in registrations.chunks(LOOKED_UP) {
                let unentered = unentered(registrations);
                if let Some(at) = self.earliest_of_registered(org, &unentered).await? {
                    earliest.note(org, Of::Registrations, at);
                    noted.push((org, unentered));
                }
            }
        }
        if batch.annotated.len() > LOOKED_UP {
            for (org, _) in &batch.annotated {
                earliest.note(org, Of::Annotations, 0);
            }
        } else {
            for annotated in batch.annotated.chunks(CHUNK / 2) {
                for (org, at) in self.earliest_of_annotated(annotated).await? {
                    earliest.note(&org, Of::Annotations, at);
                }
            }
        }
        // Read now: a period that was open when the batch was made may have ended.
        let ended = clock().as_millis() / 1_000 + self.clickhouse.settings.observe_margin();
        let mut changes = ChangeRows::default();
        for ((org, of), at) in earliest.0 {
            let since = at.div_euclid(HOUR * 1_000) * HOUR;
            if since + HOUR <= ended {
                let (writer, number) = self.changes.next();
                changes.push(ChangeRow {
                    org: &org,
                    of: of.as_str(),
                    since: u32::try_from(since).unwrap_or_default(),
                    writer,
                    number,
                });
            }
        }
        if let Some(insert) = changes.into_insert() {
            self.send(&insert).await?;
        }
        for (org, unentered) in noted {
            let note = include_str!("../sql/note_registrations.sql").replace("${unentered}", &unentered);
            let note = self.clickhouse.lookup(&note, org).execute();
            let limit = self.clickhouse.settings.insert_timeout();
            self.clickhouse.within(limit, note).await?;
        }
        Ok(())
    }

    /// When the earliest was that is known of users who registered, the registration or their first message, in
    /// milliseconds since 1970; none where all of these registrations were entered before.
    ///
    /// That a user is known to be registered as early is no proof of that: an insert that died may have said so.
    async fn earliest_of_registered(&self, org: &str, unentered: &str) -> Result<Option<i64>, Error> {
        let sql = include_str!("../sql/earliest_of_registered.sql").replace("${unentered}", unentered);
        let earliest = self.clickhouse.lookup(&sql, org).fetch_optional();
        self.clickhouse.run(earliest).await
    }

    /// When the earliest of these conversations of each organisation began, in milliseconds since 1970. One that has not will be
    /// entered by what begins it.
    async fn earliest_of_annotated(&self, annotated: &[(String, u128)]) -> Result<Vec<(String, i64)>, Error> {
        let pairs: Vec<_> = annotated
            .iter()
            .map(|(org, id)| format!("({},{id})", literal(org)))
            .collect();
        let earliest = self
            .clickhouse
            .question(include_str!("../sql/earliest_of_annotated.sql"))
            .bind(format!("[{}]", pairs.join(",")))
            .fetch_all();
        self.clickhouse.run(earliest).await
    }

    /// Enters that anything may have changed, of every organisation.
    pub(crate) async fn enter_change_of_all(&self) -> Result<(), Error> {
        let (writer, number) = self.changes.next();
        let enter = self
            .clickhouse
            .maintenance(include_str!("../sql/enter_change_of_all.sql"))
            .param("writer", writer)
            .param("number", number);
        let limit = self.clickhouse.settings.maintenance_timeout();
        self.clickhouse.within(limit, enter.execute()).await
    }
}

/// Selects those of these registrations that were not entered.
fn unentered(registrations: &[(String, i64)]) -> String {
    let user_ids: Vec<String> = registrations.iter().map(|(user, _)| literal(user)).collect();
    let registered_at: Vec<String> = registrations.iter().map(|(_, at)| at.to_string()).collect();
    include_str!("../sql/unentered_registrations.sql")
        .replace("${registered_at}", &format!("[{}]", registered_at.join(",")))
        .replace("${user_ids}", &format!("[{}]", user_ids.join(",")))
}

/// A text as a literal of SQL.
fn literal(text: &str) -> String {
    format!(
        "'{}'",
        text.replace('\\', "\\\\")
            .replace('\'', "\\'")
            .replace('\0', "\\0")
    )
}
