//! The rollups and the views that define them. `verify` and `rebuild` use these, and the tests compare with them what
//! `rollup_rows` makes of a batch.

/// Each rollup's definition: a view over its facts, or over a finer rollup. A finer one comes before those made from it.
///
/// Those over messages exist only while a rollup is rebuilt: what the messages of a batch add to it comes with the batch.
/// The others are part of the schema and see every insert.
const DEFINITIONS: [&str; 9] = [
    include_str!("../rollups/active_hourly_from_messages.sql"),
    include_str!("../rollups/active_daily_from_hourly.sql"),
    include_str!("../rollups/active_weekly_from_daily.sql"),
    include_str!("../rollups/users_from_messages.sql"),
    include_str!("../rollups/users_from_registrations.sql"),
    include_str!("../rollups/conversation_beginnings_from_messages.sql"),
    include_str!("../rollups/conversations_by_day_from_messages.sql"),
    include_str!("../rollups/latest_annotations_from_annotations.sql"),
    include_str!("../rollups/conversation_topics_from_annotations.sql"),
];

/// A materialized view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    /// The rollup that it fills.
    pub(crate) target: &'static str,
    /// The table whose inserts it sees: of facts, or a finer rollup.
    pub(crate) source: &'static str,
    /// Its `SELECT`, in three parts: what comes before the source's name, the alias that it goes by, and what
    /// comes after.
    before: &'static str,
    alias: &'static str,
    after: &'static str,
}

impl View {
    /// The view that a statement creates; none where it creates something else.
    fn created_by(statement: &'static str) -> Option<Self> {
        let (name, rest) = statement
            .strip_prefix("CREATE MATERIALIZED VIEW IF NOT EXISTS ")?
            .split_once(" TO ")?;
        let (target, select) = rest.split_once(" AS\n")?;
        let (before, rest) = select.split_once("\nFROM ")?;
        let (from, after) = rest.split_once('\n')?;
        let (source, alias) = from.split_once(" AS ").unwrap_or((from, from));
        Some(Self {
            name,
            target,
            source,
            before,
            alias,
            after,
        })
    }

    /// Its `SELECT` over `source`, a table or a parenthesised query.
    pub(crate) fn select_from(&self, source: &str) -> String {
        let Self {
            before, alias, after, ..
        } = self;
        format!("{before}\nFROM {source} AS {alias}\n{after}")
    }

    /// Its `SELECT`, traced back to the facts where its source is a rollup.
    pub(crate) fn select_from_facts(&self) -> String {
        let finer: Vec<_> = views_into(self.source)
            .map(|view| view.select_from_facts())
            .collect();
        if finer.is_empty() {
            self.select_from(&format!("{{db:Identifier}}.{}", self.source))
        } else {
            self.select_from(&format!("({})", finer.join("\nUNION ALL\n")))
        }
    }
}

/// The views, a finer rollup's before those that read it.
fn views() -> impl Iterator<Item = View> {
    DEFINITIONS
        .iter()
        .filter_map(|statement| View::created_by(statement))
}

/// The views that fill a rollup; none for a table of facts.
pub(crate) fn views_into(table: &str) -> impl Iterator<Item = View> {
    views().filter(move |view| view.target == table)
}

/// The statements that define the rollups, as materialized views. In a database that has all of them, facts that are
/// inserted by any client fill the rollups; those that [`crate::Store::insert`] takes need only what the schema has.
pub const fn definitions() -> &'static [&'static str] {
    &DEFINITIONS
}

/// The rollups' tables; one that is made from a finer one comes after it.
pub fn rollup_tables() -> Vec<&'static str> {
    let mut tables: Vec<_> = views().map(|view| view.target).collect();
    tables.dedup();
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_read() {
        assert_eq!(views().count(), DEFINITIONS.len());
        for view in views() {
            assert!(view.name.starts_with(view.target), "{view:?}");
            assert!(
                view.select_from(view.source)
                    .contains(&format!("FROM {}", view.source)),
                "{view:?}"
            );
        }
    }

    #[test]
    fn finer_rollups_come_first_and_lead_back_to_the_facts() {
        let tables = rollup_tables();
        for view in views() {
            let place = |table: &str| tables.iter().position(|known| *known == table);
            assert!(place(view.source) < place(view.target), "{view:?}");
        }
        let weekly = views_into("active_weekly").next().unwrap();
        let select = weekly.select_from_facts();
        assert!(
            select.contains(".messages AS messages") && !select.contains(".active"),
            "{select}"
        );
    }
}
