//! The tables that batches are inserted into, each with its columns.
//!
//! A table's `CREATE` in `migrations/` has the same columns; a test compares them.

use bytes::Bytes;

use crate::native::{
    Block, Column, Date, DateTime, DateTime64, Int64, RoleEnum, Text, TextArray, TextBytes, UInt128, UInt256,
};

/// A statement and the block that follows it.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    pub(crate) statement: &'static str,
    pub(crate) chunks: Vec<Bytes>,
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

/// For each table a type of its rows and one of a row, from its name and its columns.
macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $table:ident: $rows:ident of $row:ident {
            $first:ident: $first_type:ident,
            $($column:ident: $type:ident,)*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $rows {
                rows: usize,
                $first: $first_type,
                $($column: $type,)*
            }

            #[doc = concat!("A row of `", stringify!($table), "`.")]
            pub(crate) struct $row<'a> {
                pub(crate) $first: <$first_type as Column>::Value<'a>,
                $(pub(crate) $column: <$type as Column>::Value<'a>,)*
            }

            impl $rows {
                const INSERT: &str = concat!(
                    "INSERT INTO ", stringify!($table),
                    " (", stringify!($first), $(", ", stringify!($column),)* ") FORMAT Native"
                );

                const COLUMNS: &[(&str, &str)] = &[
                    (stringify!($first), $first_type::TYPE),
                    $((stringify!($column), $type::TYPE),)*
                ];

                pub(crate) fn push(&mut self, row: $row<'_>) {
                    self.rows += 1;
                    self.$first.push(row.$first);
                    $(self.$column.push(row.$column);)*
                }
            }

            impl Rows for $rows {
                fn len(&self) -> usize {
                    self.rows
                }

                fn bytes(&self) -> usize {
                    self.$first.len() $(+ self.$column.len())*
                }

                fn into_insert(self) -> Option<Insert> {
                    (self.rows > 0).then(|| Insert {
                        statement: Self::INSERT,
                        chunks: Block::new(Self::COLUMNS.len(), self.rows)
                            .column(stringify!($first), self.$first)
                            $(.column(stringify!($column), self.$column))*
                            .into_chunks(),
                    })
                }
            }
        )*

        /// Each table with the names and types of its columns.
        #[cfg(test)]
        const TABLES: &[(&str, &[(&str, &str)])] = &[$((stringify!($table), $rows::COLUMNS)),*];
    };
}

tables! {
    /// Facts: messages.
    messages: MessageRows of MessageRow {
        org: Text,
        conversation_id: UInt128,
        time: DateTime64,
        message_id: UInt128,
        role: RoleEnum,
        user_id: Text,
        mentor_id: Text,
        content: TextBytes,
        model: Text,
    }

    /// Facts: annotations of conversations.
    annotations: AnnotationRows of AnnotationRow {
        org: Text,
        conversation_id: UInt128,
        annotated_at: Int64,
        event_id: Text,
        user_sentiment: Text,
        topics: TextArray,
        topic_keys: TextArray,
    }

    /// Facts: registrations of users.
    registrations: RegistrationRows of RegistrationRow {
        org: Text,
        user_id: Text,
        registered_at: Int64,
    }

    /// What a batch adds to the rollups of activity.
    incoming_activity: ActivityRows of ActivityRow {
        org: Text,
        mentor_id: Text,
        period: DateTime,
        user_id: Text,
    }

    /// What the messages of a batch add to the rollup of users.
    incoming_users: UserRows of UserRow {
        org: Text,
        user_id: Text,
        first_message_at: Int64,
    }

    /// What a batch adds to the rollup of conversations.
    conversations: ConversationRows of ConversationRow {
        org: Text,
        conversation_id: UInt128,
        first: UInt256,
        least_mentor: Text,
        greatest_mentor: Text,
    }

    /// What a batch adds to the rollup of the conversations of each day.
    conversation_days: ConversationDayRows of ConversationDayRow {
        org: Text,
        day: Date,
        conversation_id: UInt128,
        first: UInt256,
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
            .filter(|column| !column.contains(" MATERIALIZED "))
            .map(|column| {
                let (name, rest) = column.trim_start_matches([' ', '`']).split_once("` ").unwrap();
                let rest = rest.trim_end_matches(',');
                let before =
                    |rest: &'static str, end: &str| rest.split_once(end).map_or(rest, |(rest, _)| rest);
                (name, inner(before(before(rest, " COMMENT "), " CODEC(")))
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
