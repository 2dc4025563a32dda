//! The names that a batch is full of, each held once.

use foldhash::fast::RandomState;
use indexmap::IndexSet;

/// About what a name takes beside its text, in bytes.
const OVERHEAD: usize = 80;

/// An organisation, a user, a mentor or a model: its place among the names of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u32);

impl Name {
    /// The empty name, which stands for none.
    pub(crate) const NONE: Self = Self(0);
}

/// The names of a batch.
#[derive(Debug)]
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
    /// The name of this text.
    pub(crate) fn name(&mut self, text: &str) -> Name {
        let place = self.texts.get_index_of(text).unwrap_or_else(|| {
            self.bytes += text.len() + OVERHEAD;
            self.texts.insert_full(text.into()).0
        });
        Name(u32::try_from(place).expect("memory does not hold as many names"))
    }

    /// The text of a name of this batch.
    pub(crate) fn text(&self, name: Name) -> &str {
        &self.texts[usize::try_from(name.0).expect("a place that was given")]
    }

    /// The memory that they take, in bytes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}
