//! The tables that batches are inserted into, each with its columns.
//!
//! A table's `CREATE` in `migrations/` has the same columns; a test compares them.

use std::borrow::Cow;

use bytes::Bytes;
use events::Role;

use crate::native::{Column, Value, block};

/// A block of rows of a table.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) table: &'static str,
    /// The names of the columns, as a statement lists them.
    pub(crate) columns: String,
    pub(crate) chunks: Vec<Bytes>,
}

impl Insert {
    fn new<const N: usize>(table: &'static str, rows: usize, columns: [(&str, &str, Column); N]) -> Self {
        Self {
            table,
            columns: columns.each_ref().map(|(name, ..)| *name).join(", "),
            chunks: block(rows, columns),
        }
    }
}

/// Rows of one table, in columns.
pub(crate) trait Rows {
    /// The number of rows.
    fn len(&self) -> usize;

    /// The memory that they take, in bytes.
    fn bytes(&self) -> usize;

    /// What inserts them; none where there are no rows.
    fn into_insert(self) -> Option<Insert>;
}

/// For each table a type of its rows and one of a row, from its name and its columns, each with its type in Rust and in
/// ClickHouse.
macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $table:ident: $rows:ident of $row:ident { $($column:ident: $value:ty = $type:literal,)* }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $rows {
                rows: usize,
                $($column: Column,)*
            }

            #[doc = concat!("A row of `", stringify!($table), "`.")]
            pub(crate) struct $row<'a> {
                $(pub(crate) $column: $value,)*
            }

            impl $rows {
                pub(crate) fn push(&mut self, row: $row<'_>) {
                    self.rows += 1;
                    $(row.$column.write(&mut self.$column);)*
                }
            }

            impl Rows for $rows {
                fn len(&self) -> usize {
                    self.rows
                }

                fn bytes(&self) -> usize {
                    [$(self.$column.len()),*].iter().sum()
                }

                fn into_insert(self) -> Option<Insert> {
                    let columns = [$((stringify!($column), $type, self.$column)),*];
                    (self.rows > 0).then(|| Insert::new(stringify!($table), self.rows, columns))
                }
            }
        )*

        /// Each table with the names and types of its columns.
        #[cfg(test)]
        const TABLES: &[(&str, &[(&str, &str)])] =
            &[$((stringify!($table), &[$((stringify!($column), $type)),*])),*];
    };
}

tables! {
    /// Facts: messages.
    messages: MessageRows of MessageRow {
        org: &'a str = "String",
        conversation_id: u128 = "UInt128",
        time: i64 = "DateTime64(3, 'UTC')",
        message_id: u128 = "UInt128",
        role: Role = "Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4)",
        user_id: &'a str = "String",
        mentor_id: &'a str = "String",
        content: &'a [u8] = "String",
        model: &'a str = "String",
        digest: u128 = "UInt128",
    }

    /// Facts: annotations of conversations.
    annotations: AnnotationRows of AnnotationRow {
        org: &'a str = "String",
        conversation_id: u128 = "UInt128",
        annotated_at: i64 = "Int64",
        event_id: &'a str = "String",
        user_sentiment: &'a str = "String",
        topics: &'a [Cow<'a, str>] = "Array(String)",
        topic_keys: &'a [Cow<'a, str>] = "Array(String)",
    }

    /// Facts: registrations of users.
    registrations: RegistrationRows of RegistrationRow {
        org: &'a str = "String",
        user_id: &'a str = "String",
        registered_at: i64 = "Int64",
    }

    /// What a batch adds to the rollups of activity.
    incoming_activity: ActivityRows of ActivityRow {
        org: &'a str = "String",
        mentor_id: &'a str = "String",
        period: u32 = "DateTime('UTC')",
        user_id: &'a str = "String",
    }

    /// What the messages of a batch add to the rollup of users.
    incoming_users: UserRows of UserRow {
        org: &'a str = "String",
        user_id: &'a str = "String",
        first_message_at: i64 = "Int64",
    }

    /// What a batch adds to the rollup of when conversations began.
    incoming_conversations: ConversationRows of ConversationRow {
        org: &'a str = "String",
        conversation_id: u128 = "UInt128",
        place: [u128; 2] = "UInt256",
        least_mentor: &'a str = "String",
        greatest_mentor: &'a str = "String",
    }

    /// What a batch adds to the rollup of the conversations of each day.
    conversations_by_day: ConversationDayRows of ConversationDayRow {
        org: &'a str = "String",
        mentor_id: &'a str = "String",
        day: u16 = "Date",
        conversation_id: u128 = "UInt128",
        first_at: i64 = "Int64",
    }

    /// Who is to be forgotten.
    erasures: ErasureRows of ErasureRow {
        org: &'a str = "String",
        user: u128 = "UInt128",
        erased_at: i64 = "Int64",
    }

    /// What is to be erased.
    erasure_requests: ErasureRequestRows of ErasureRequestRow {
        id: u64 = "UInt64",
        org: &'a str = "String",
        of: &'a str = "String",
        user: u128 = "UInt128",
        rollup_user: u128 = "UInt128",
        conversation_id: u128 = "UInt128",
        until: i64 = "Int64",
    }

    /// Since when a batch has changed what is known of the past.
    changes: ChangeRows of ChangeRow {
        org: &'a str = "String",
        of: &'a str = "String",
        since: u32 = "DateTime('UTC')",
        writer: u64 = "UInt64",
        number: u64 = "UInt64",
    }

    /// Counts of conversations, as they were observed.
    observed_beginnings: ObservedRows of ObservedRow {
        org: &'a str = "String",
        by: &'a str = "String",
        value: &'a str = "String",
        seconds: u32 = "UInt32",
        period: u32 = "DateTime('UTC')",
        conversations: u64 = "UInt64",
        seen: u64 = "UInt64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns of a table of `schema.sql` that an insert can fill, with the types that it takes.
    fn created(table: &str) -> Vec<(&'static str, &'static str)> {
        let schema = include_str!("../schema.sql");
        let (_, rest) = schema
            .split_once(&format!("CREATE TABLE {table}\n(\n"))
            .unwrap_or_else(|| panic!("no table {table}"));
        let (columns, _) = rest.split_once("\n)\n").unwrap();
        columns
            .lines()
            .map(|column| {
                let (name, rest) = column.trim_start_matches([' ', '`']).split_once("` ").unwrap();
                let rest = rest.trim_end_matches(',');
                let before =
                    |rest: &'static str, end: &str| rest.split_once(end).map_or(rest, |(rest, _)| rest);
                let ends = [" COMMENT ", " CODEC(", " DEFAULT "];
                (name, inner(ends.into_iter().fold(rest, before)))
            })
            .collect()
    }

    /// A type without how it is stored and merged.
    fn inner(of: &str) -> &str {
        let wrapped = of
            .strip_prefix("SimpleAggregateFunction(")
            .and_then(|of| of.split_once(", ").map(|(_, of)| of))
            .or_else(|| of.strip_prefix("LowCardinality("))
            .and_then(|of| of.strip_suffix(')'));
        wrapped.map_or(of, inner)
    }

    #[test]
    fn every_column_is_one_of_the_schema_with_its_type_and_none_is_left_out() {
        for (table, columns) in TABLES {
            assert_eq!(created(table), *columns, "{table}");
        }
    }
}
