//! Parts of a table, and what a later list of them tells of what was read before.

use std::collections::HashSet;

use clickhouse::{Row, query::Query};
use serde::Deserialize;

use super::Source;
use crate::error::Error;

/// A line of the list.
#[derive(Debug, Row, Deserialize)]
struct ListedPart {
    server: String,
    table: String,
    uuid: String,
    name: String,
    hash: String,
    rows: u64,
    first_block: i64,
    last_block: i64,
    version: u64,
}

/// The parts of several tables at one moment.
#[derive(Debug)]
pub(super) struct PartLists(Vec<ListedPart>);

/// The parts of a table at one moment, in the order of their inserts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    of: Origin,
    parts: Vec<Part>,
}

/// Where parts are found: elsewhere others may have the same names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Origin {
    server: String,
    /// Another once a table has taken the place of one of its name.
    table: String,
}

/// A part of a table. It never changes: an insert makes it, and a merge or a mutation makes another of it.
/// <https://clickhouse.com/docs/operations/system-tables/parts>
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    /// Of all its files.
    hash: String,
    rows: u64,
    /// The first insert that it has rows of, and the last; inserts are numbered in order.
    first_block: i64,
    last_block: i64,
    /// The last mutation that it went through, or if there was none its first block: both are numbered by one counter.
    version: u64,
}

impl PartLists {
    /// What there is now of these tables.
    pub(super) async fn of(store: &Source, tables: &[&str]) -> Result<Self, Error> {
        let query = store
            .client
            .query(include_str!("../../sql/parts.sql"))
            .param("tables", tables);
        store.run(query.fetch_all()).await.map(Self)
    }

    /// Those of one table.
    pub(super) fn parts(&self, table: &str) -> Parts {
        let listed = || self.0.iter().filter(|part| part.table == table);
        let of = listed().next().map(|part| Origin {
            server: part.server.clone(),
            table: part.uuid.clone(),
        });
        let part = |part: &ListedPart| Part {
            name: part.name.clone(),
            hash: part.hash.clone(),
            rows: part.rows,
            first_block: part.first_block,
            last_block: part.last_block,
            version: part.version,
        };
        let mut parts: Vec<Part> = listed().map(part).collect();
        parts.sort_by_key(|part| part.first_block);
        Parts {
            of: of.unwrap_or_default(),
            parts,
        }
    }
}

impl Parts {
    /// Whether there are none, or none that may be seen.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// How many rows they have, but for those that are known.
    pub(super) fn rows_besides(&self, known: &HashSet<String>) -> u64 {
        let besides = self.parts.iter().filter(|part| !known.contains(&part.name));
        besides.map(|part| part.rows).sum()
    }

    /// A query about an organisation that fails where `table` has not these parts, but another server's or those of a table
    /// that has taken its place. It says so by `${same_parts}`.
    pub(super) fn query(&self, store: &Source, table: &str, sql: &str, org: &str) -> Query {
        let sql = sql.replace("${same_parts}", include_str!("../../sql/same_parts.sql"));
        store
            .query(&sql, org)
            .with_setting("max_parallel_replicas", "1")
            .param("server", &self.of.server)
            .param("uuid", &self.of.table)
            .param("table", table)
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let texts = self
            .parts
            .iter()
            .map(|part| part.name.capacity() + part.hash.capacity());
        self.parts.capacity() * size_of::<Part>() + texts.sum::<usize>()
    }

    /// Which parts of a later list have no row but of these, by their names. `None` where a row of these may be gone.
    pub(super) fn known_among(&self, now: &Self) -> Option<HashSet<String>> {
        let mut known = HashSet::new();
        if self.is_empty() {
            return Some(known);
        }
        if self.of != now.of {
            return None;
        }
        let mut rest = self.parts.as_slice();
        for part in &now.parts {
            let ended = rest.iter().take_while(|read| read.last_block <= part.last_block);
            let (inside, later) = rest.split_at(ended.count());
            rest = later;
            if !part.keeps(inside) {
                return None;
            }
            if part.is_of(inside) {
                known.insert(part.name.clone());
            }
        }
        rest.is_empty().then_some(known)
    }
}

impl Part {
    /// Whether it has all rows of these parts, whose last blocks are within its own. Otherwise a mutation may have taken
    /// some away, or it stands empty in the place of parts that were dropped, or another part has got a name again.
    fn keeps(&self, parts: &[Self]) -> bool {
        parts.iter().all(|part| {
            part.first_block >= self.first_block
                && part.version >= self.version
                && part.rows <= self.rows
                && (part.name != self.name || part.hash == self.hash)
        })
    }

    /// Whether these parts, all inside, leave no insert out.
    fn is_of(&self, parts: &[Self]) -> bool {
        let follow = |pair: &[Self]| matches!(pair, [one, next] if one.last_block + 1 == next.first_block);
        parts
            .first()
            .is_some_and(|first| first.first_block == self.first_block)
            && parts
                .last()
                .is_some_and(|last| last.last_block == self.last_block)
            && parts.windows(2).all(follow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts by their first and last blocks and their versions, which have as many rows as blocks.
    fn parts(blocks: &[(i64, i64, u64)]) -> Parts {
        let part = |&(first_block, last_block, version): &(i64, i64, u64)| Part {
            name: format!("all_{first_block}_{last_block}_{version}"),
            hash: String::new(),
            rows: u64::try_from(last_block - first_block + 1).unwrap(),
            first_block,
            last_block,
            version,
        };
        Parts {
            of: Origin::default(),
            parts: blocks.iter().map(part).collect(),
        }
    }

    fn known(read: &[(i64, i64, u64)], now: &[(i64, i64, u64)]) -> Option<Vec<String>> {
        let known = parts(read).known_among(&parts(now))?;
        Some(known.into_iter().collect())
    }

    #[test]
    fn a_part_is_known_as_it_was_read_or_merged() {
        let read = [(1, 4, 1), (5, 5, 5), (6, 6, 6)];
        assert_eq!(known(&read, &read).unwrap().len(), 3);
        assert_eq!(known(&read, &[(1, 6, 1), (7, 7, 7)]).unwrap(), ["all_1_6_1"]);
        assert_eq!(known(&read, &[(1, 4, 1), (5, 6, 5)]).unwrap().len(), 2);
        assert_eq!(known(&[], &[(1, 1, 1)]).unwrap().len(), 0);
        // Merged with what came after a mutation.
        assert_eq!(
            known(&[(1, 4, 5), (6, 6, 6)], &[(1, 4, 5), (6, 6, 6)])
                .unwrap()
                .len(),
            2
        );
        assert_eq!(known(&[(1, 4, 5), (5, 5, 6)], &[(1, 5, 5)]).unwrap().len(), 1);
    }

    #[test]
    fn a_part_that_has_an_insert_besides_is_not_known() {
        // Block 5 came and was merged since; blocks 7 and 8 likewise.
        assert_eq!(known(&[(1, 4, 1), (6, 6, 6)], &[(1, 6, 1)]).unwrap().len(), 0);
        let now = [(1, 4, 1), (5, 8, 5)];
        assert_eq!(known(&[(1, 4, 1), (5, 6, 5)], &now).unwrap(), ["all_1_4_1"]);
        assert_eq!(known(&[(2, 4, 2)], &[(1, 4, 1)]).unwrap().len(), 0);
    }

    #[test]
    fn what_was_read_may_be_gone() {
        let read = [(1, 4, 1), (5, 6, 5)];
        for now in [
            &[(1, 4, 1)][..],
            &[(5, 6, 5)],
            &[(1, 3, 1), (5, 6, 5)],
            &[(2, 4, 2), (5, 6, 5)],
            &[(1, 4, 7), (5, 6, 5)],
            &[(1, 6, 7)],
            &[],
        ] {
            assert_eq!(known(&read, now), None, "{now:?}");
        }
        // One of two had been through a mutation, and both have when they are merged.
        assert_eq!(known(&[(1, 2, 7), (3, 3, 3)], &[(1, 3, 7)]), None);
    }

    #[test]
    fn what_has_a_known_name_may_be_something_else() {
        let read = [(1, 4, 1), (5, 6, 5)];
        let with = |change: fn(&mut Parts)| {
            let mut now = parts(&read);
            change(&mut now);
            parts(&read).known_among(&now)
        };
        assert_eq!(with(|now| now.of.table = "another".to_owned()), None);
        assert_eq!(with(|now| now.of.server = "another".to_owned()), None);
        assert_eq!(with(|now| now.parts[0].hash = "another".to_owned()), None);
        // As what is truncated is for a while.
        assert_eq!(with(|now| now.parts[0].rows = 0), None);
        assert_eq!(with(|_| ()).unwrap().len(), 2);
    }
}
