//! Parts of a table, and what a later list of them tells of what was read before.

use clickhouse::Row;
use serde::Deserialize;

use crate::{Error, Store};

/// A part of a table. It never changes: an insert makes it, and a merge or a mutation makes another of it.
/// <https://clickhouse.com/docs/operations/system-tables/parts>
#[derive(Debug, Clone, Row, Deserialize)]
struct Part {
    /// Which server lists it: another may have other parts of the same names.
    server: String,
    table: String,
    /// Where the table is kept: elsewhere once another table has taken its place.
    home: String,
    name: String,
    /// The first insert that it has rows of, and the last; inserts are numbered in order.
    first_block: i64,
    last_block: i64,
    /// The last mutation that it went through; 0: none.
    mutation: i64,
}

/// The parts of a table at one moment, in the order of their inserts.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(Vec<Part>);

/// The parts of several tables at one moment.
#[derive(Debug)]
pub(super) struct Listing(Vec<Part>);

impl Listing {
    /// What there is now of these tables.
    pub(super) async fn of(store: &Store, tables: &[&str]) -> Result<Self, Error> {
        let query = store
            .client
            .query(include_str!("../../sql/parts.sql"))
            .param("tables", tables);
        store.run(query.fetch_all()).await.map(Self)
    }

    /// Those of one table.
    pub(super) fn parts(&self, table: &str) -> Parts {
        let mut parts: Vec<Part> = self
            .0
            .iter()
            .filter(|part| part.table == table)
            .cloned()
            .collect();
        parts.sort_by_key(|part| part.first_block);
        Parts(parts)
    }
}

impl Parts {
    /// Whether there are none, or none that may be seen.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The server that listed them.
    pub(super) fn server(&self) -> &str {
        self.0.first().map_or("", |part| &part.server)
    }

    /// Which parts of a later list have no row but of these, by their names. `None` where a row of these may be gone.
    pub(super) fn known_among(&self, now: &Self) -> Option<Vec<String>> {
        let mut known = Vec::new();
        let mut rest = self.0.as_slice();
        for part in &now.0 {
            let ended = rest.iter().take_while(|read| read.last_block <= part.last_block);
            let (inside, later) = rest.split_at(ended.count());
            rest = later;
            if !part.keeps(inside) {
                return None;
            }
            if part.is_of(inside) {
                known.push(part.name.clone());
            }
        }
        rest.is_empty().then_some(known)
    }
}

impl Part {
    /// Whether it has all rows of these parts, as far as it goes.
    fn keeps(&self, parts: &[Self]) -> bool {
        let kept = |part: &Self| {
            part.server == self.server && part.home == self.home && part.first_block >= self.first_block
        };
        let mutation = parts.iter().map(|part| part.mutation).max();
        parts.iter().all(kept) && mutation.is_none_or(|mutation| mutation == self.mutation)
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

    /// Parts by their first and last blocks and their mutation.
    fn parts(blocks: &[(i64, i64, i64)]) -> Parts {
        let part = |&(first_block, last_block, mutation): &(i64, i64, i64)| Part {
            server: "server".to_owned(),
            table: "table".to_owned(),
            home: "home".to_owned(),
            name: format!("all_{first_block}_{last_block}"),
            first_block,
            last_block,
            mutation,
        };
        Parts(blocks.iter().map(part).collect())
    }

    fn known(read: &[(i64, i64, i64)], now: &[(i64, i64, i64)]) -> Option<Vec<String>> {
        parts(read).known_among(&parts(now))
    }

    #[test]
    fn a_part_is_known_as_it_was_read_or_merged() {
        let read = [(1, 4, 0), (5, 5, 0), (6, 6, 0)];
        assert_eq!(known(&read, &read).unwrap().len(), 3);
        assert_eq!(known(&read, &[(1, 6, 0), (7, 7, 0)]).unwrap(), ["all_1_6"]);
        assert_eq!(known(&read, &[(1, 4, 0), (5, 6, 0)]).unwrap().len(), 2);
        assert_eq!(known(&[], &[(1, 1, 0)]).unwrap().len(), 0);
    }

    #[test]
    fn a_part_that_has_an_insert_besides_is_not_known() {
        // Block 5 came and was merged since; blocks 7 and 8 likewise.
        assert_eq!(known(&[(1, 4, 0), (6, 6, 0)], &[(1, 6, 0)]).unwrap().len(), 0);
        let now = [(1, 4, 0), (5, 8, 0)];
        assert_eq!(known(&[(1, 4, 0), (5, 6, 0)], &now).unwrap(), ["all_1_4"]);
        assert_eq!(known(&[(2, 4, 0)], &[(1, 4, 0)]).unwrap().len(), 0);
    }

    #[test]
    fn what_was_read_may_be_gone() {
        let read = [(1, 4, 0), (5, 6, 0)];
        for now in [
            &[(1, 4, 0)][..],
            &[(5, 6, 0)],
            &[(1, 3, 0), (5, 6, 0)],
            &[(2, 4, 0), (5, 6, 0)],
            &[(1, 4, 7), (5, 6, 0)],
            &[(1, 6, 7)],
            &[],
        ] {
            assert_eq!(known(&read, now), None, "{now:?}");
        }
        let mut elsewhere = parts(&read);
        for part in &mut elsewhere.0 {
            part.home = "another home".to_owned();
        }
        assert_eq!(parts(&read).known_among(&elsewhere), None);
    }
}
