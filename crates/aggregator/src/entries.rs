//! Enters since when the past is another: see [`crate::changes`].

use std::collections::{HashMap, HashSet};

use events::Timestamp;
use futures::future::try_join;

use crate::{
    batch::SealedBatch,
    changes::{CHANGES_TABLE, Of},
    conversations::CHUNK,
    error::Error,
    store::Store,
    tables::{ChangeRow, ChangeRows, Rows},
};

/// The number of users that are looked up at once.
const USERS_LOOKED_UP: usize = 10_000;

/// The number of registrations, and of annotated conversations, that are looked up in any case. More come of a backlog, whose
/// messages change the past anyway: all of their organisation may be another then.
const LOOKED_UP: usize = 1_000;

/// Selects those of the registrations that were entered before.
const ENTERED: &str = include_str!("../sql/entered_registrations.sql");

/// Since when more is known of each organisation, in milliseconds since 1970, by what changes it.
#[derive(Default)]
struct Earliest(HashMap<(String, Of), i64>);

impl Earliest {
    fn note(&mut self, org: &str, of: Of, at: i64) {
        let earliest = self.0.entry((org.to_owned(), of)).or_insert(at);
        *earliest = at.min(*earliest);
    }
}

/// Since when what is registered and annotated changes the past, as far as it was known when that was looked up.
pub(crate) struct Past {
    /// By organisation, in milliseconds since 1970.
    registered: Vec<(String, i64)>,
    annotated: Vec<(String, i64)>,
    /// What selects the registrations that were not entered before.
    unentered: Vec<String>,
}

impl Store {
    /// Looks up since when the registrations and annotations of a batch change the past. Their facts are acknowledged.
    pub(crate) async fn look_up_past(
        &self,
        batch: &SealedBatch,
        clock: impl Fn() -> Timestamp,
    ) -> Result<Past, Error> {
        let ((registered, unentered), annotated) = try_join(
            self.earliest_of_registrations(batch, clock),
            self.earliest_of_annotations(&batch.annotated),
        )
        .await?;
        Ok(Past {
            registered,
            annotated,
            unentered,
        })
    }

    /// Enters since when the past is another, if any of a batch, all of which is acknowledged, changes a period that has
    /// ended. A batch that is inserted again is entered again; of registrations, those that are not noted as entered.
    pub(crate) async fn enter_changes(
        &self,
        batch: &SealedBatch,
        past: Past,
        clock: impl Fn() -> Timestamp,
    ) -> Result<(), Error> {
        let mut earliest = Earliest::default();
        for (org, at) in &batch.earliest {
            earliest.note(org, Of::Messages, *at);
        }
        for (org, at) in &past.registered {
            earliest.note(org, Of::Registrations, *at);
        }
        for (org, at) in &past.annotated {
            earliest.note(org, Of::Annotations, *at);
        }
        // Read now: a period that was open when the batch was made may have ended.
        let now = clock();
        let mut changes = ChangeRows::default();
        for ((org, of), at) in earliest.0 {
            if self.is_past(of, at, now) {
                let since = start_of(of, at);
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
        let settings = &self.clickhouse.settings;
        let note = include_str!("../sql/note_registrations.sql")
            .replace("${into}", &settings.spread_over_shards("entered_registrations"));
        for unentered in past.unentered {
            let note = self.clickhouse.lookup(&note.replace("${unentered}", &unentered));
            let limit = settings.insert_timeout();
            self.clickhouse.within(limit, note.execute()).await?;
        }
        Ok(())
    }

    /// Whether the period of an instant, in milliseconds since 1970, may have been observed.
    fn is_past(&self, of: Of, at: i64, now: Timestamp) -> bool {
        start_of(of, at) + of.period() <= now.as_millis() / 1_000 + self.clickhouse.settings.observe_margin()
    }

    /// When the earliest was that is known of users who registered, the registration or their first message, in milliseconds
    /// since 1970, by organisation; with what selects the registrations that were not entered before, if any. Of very many,
    /// and where messages change the past anyway, any time may be, and they are not noted as entered.
    ///
    /// That a user is known to be registered as early is no proof of that: an insert that died may have said so.
    async fn earliest_of_registrations(
        &self,
        batch: &SealedBatch,
        clock: impl Fn() -> Timestamp,
    ) -> Result<(Vec<(String, i64)>, Vec<String>), Error> {
        let (mut found, mut noted) = (Vec::new(), Vec::new());
        let mut registrations: Vec<_> = batch.registrations.iter().collect();
        if registrations.len() > LOOKED_UP {
            let now = clock();
            let changed: HashSet<_> = batch
                .earliest
                .iter()
                .filter(|(_, at)| self.is_past(Of::Messages, *at, now))
                .map(|(org, _)| org)
                .collect();
            let of_changed = registrations.extract_if(.., |(org, ..)| changed.contains(org));
            let orgs: HashSet<_> = of_changed.map(|(org, ..)| org).collect();
            found.extend(orgs.into_iter().map(|org| (org.clone(), 0)));
        }
        for registrations in registrations.chunks(USERS_LOOKED_UP) {
            let on_shard = unentered(registrations, &format!("({ENTERED})"));
            let sql = include_str!("../sql/earliest_of_registered.sql").replace("${unentered}", &on_shard);
            let earliest = self.clickhouse.lookup(&sql);
            let earliest = self.clickhouse.rows::<(String, i64)>(earliest).await?;
            if !earliest.is_empty() {
                found.extend(earliest);
                let on_any = format!("cluster('rollcall', view({ENTERED}))");
                noted.push(unentered(registrations, &on_any));
            }
        }
        Ok((found, noted))
    }

    /// When the earliest of annotated conversations of each organisation began, in milliseconds since 1970. One that has not
    /// will be entered by what begins it. Of very many, any time may be.
    async fn earliest_of_annotations(
        &self,
        annotated: &[(String, u128)],
    ) -> Result<Vec<(String, i64)>, Error> {
        if annotated.len() > LOOKED_UP {
            return Ok(annotated.iter().map(|(org, _)| (org.clone(), 0)).collect());
        }
        let mut found = Vec::new();
        for annotated in annotated.chunks(CHUNK / 2) {
            let pairs: Vec<_> = annotated
                .iter()
                .map(|(org, id)| format!("({},{id})", literal(org)))
                .collect();
            let earliest = self
                .clickhouse
                .question(include_str!("../sql/earliest_of_annotated.sql"))
                .bind(format!("[{}]", pairs.join(",")));
            found.extend(self.clickhouse.rows::<(String, i64)>(earliest).await?);
        }
        Ok(found)
    }

    /// Enters that anything may have changed, of every organisation.
    pub(crate) async fn enter_change_of_all(&self) -> Result<(), Error> {
        let (writer, number) = self.changes.next();
        let enter = self
            .clickhouse
            .maintenance(include_str!("../sql/enter_change_of_all.sql"))
            .param("into", self.clickhouse.settings.spread_over_shards(CHANGES_TABLE))
            .param("writer", writer)
            .param("number", number);
        let limit = self.clickhouse.settings.maintenance_timeout();
        self.clickhouse.within(limit, enter.execute()).await
    }
}

/// The first second of the period, by which changes are entered, of an instant that is in milliseconds since 1970.
const fn start_of(of: Of, at: i64) -> i64 {
    at.div_euclid(of.period() * 1_000) * of.period()
}

/// Selects those of these registrations that were not entered, given where to find those that were.
fn unentered(registrations: &[&(String, String, i64)], entered: &str) -> String {
    let list = |literal: &dyn Fn(&(String, String, i64)) -> String| {
        let literals: Vec<String> = registrations
            .iter()
            .map(|registration| literal(registration))
            .collect();
        format!("[{}]", literals.join(","))
    };
    include_str!("../sql/unentered_registrations.sql")
        .replace("${entered}", entered)
        .replace("${registered_at}", &list(&|(.., at)| at.to_string()))
        .replace("${orgs}", &list(&|(org, ..)| literal(org)))
        .replace("${user_ids}", &list(&|(_, user, _)| literal(user)))
}

/// A text as a literal of SQL. What is no letter or digit is given by its bytes, so that no text can be taken for a placeholder.
fn literal(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    });
    format!("'{}'", bytes.collect::<String>())
}
