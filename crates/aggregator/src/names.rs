//! The names that a batch is full of, as numbers.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use indexmap::IndexSet;

/// About what a name takes in addition to itself, in bytes.
const NAME_OVERHEAD: usize = 80;

/// An organisation, a user, a mentor or a model, by its number among the names of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The empty name, which stands for none.
    pub(crate) const NONE: Self = Self(0);
}

/// The names that a batch is full of, each kept once.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    texts: IndexSet<Box<str>, RandomState>,
    bytes: usize,
}

impl Default for Names {
    fn default() -> Self {
        let mut texts = IndexSet::default();
        texts.insert(Box::default());
        Self { texts, bytes: 0 }
    }
}

impl Names {
    /// The symbol of this text.
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        let index = self.texts.get_index_of(text).unwrap_or_else(|| {
            self.bytes += text.len() + NAME_OVERHEAD;
            self.texts.insert_full(text.into()).0
        });
        Symbol(u32::try_from(index).expect("memory does not hold as many names"))
    }

    /// A hash of symbols and other numbers, another one in each batch.
    pub(crate) fn hash(&self, of: &impl Hash) -> u64 {
        self.texts.hasher().hash_one(of)
    }

    /// The text of a symbol of this batch.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[usize::try_from(symbol.0).expect("an index that was given")]
    }

    /// All of them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Whether it is one of them.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// About the memory that they take, in bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
