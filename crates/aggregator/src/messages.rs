//! The messages of a batch, before they are rows.

use std::cmp::Ordering;

use events::{Event, Role};
use foldhash::fast::RandomState;
use indexmap::IndexSet;

use crate::{
    native::{BufferRange, ChunkedBuffer},
    tables::{MessageRow, MessageRows},
};

/// The most that a message takes in the rows of all tables, without its texts, in bytes: a row of messages, two each of
/// activity and of the days of conversations, and one each of users and of conversations, where it is alone in its
/// conversation.
const ROW_BYTES: usize = 250;

/// About what a text of [`Interner`] takes in addition to itself, in bytes.
const TEXT_OVERHEAD: usize = 80;

/// A message without its content.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) org: Symbol,
    pub(crate) conversation_id: u128,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) id: u128,
    pub(crate) role: Role,
    /// None where it is anonymous.
    pub(crate) user: Symbol,
    pub(crate) mentor: Symbol,
    pub(crate) model: Symbol,
    content: BufferRange,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    entries: Vec<Message>,
    contents: ChunkedBuffer,
    names: Interner,
    /// The most that their names take in the rows, in bytes.
    name_bytes: usize,
}

/// Messages in the order of their table, and the names in them.
#[derive(Debug)]
pub(crate) struct SortedMessages {
    pub(crate) entries: Vec<Message>,
    pub(crate) names: Interner,
}

impl Messages {
    pub(crate) fn append(&mut self, event: &Event<'_>, message: &events::Message<'_>) {
        let mut intern = |text: Option<&str>| text.map_or(Symbol::NONE, |text| self.names.intern(text));
        let (org, user) = (intern(Some(&event.org)), intern(message.user_id.as_deref()));
        let (mentor, model) = (
            intern(message.mentor_id.as_deref()),
            intern(message.model.as_deref()),
        );
        let length = |symbol| self.names.text(symbol).len();
        self.name_bytes += 7 * length(org) + 4 * length(user) + 5 * length(mentor) + length(model);
        self.entries.push(Message {
            org,
            conversation_id: message.conversation_id.as_u128(),
            time: event.time.as_millis(),
            id: message.message_id.as_u128(),
            role: message.role,
            user,
            mentor,
            model,
            content: self.contents.write(message.content.as_bytes()),
        });
    }

    /// The number of messages.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// The memory that they take, in bytes, as they are or as rows.
    pub(crate) const fn bytes(&self) -> usize {
        self.entries.len() * ROW_BYTES + self.contents.len() + self.name_bytes + self.names.bytes()
    }

    /// Their rows, sorted as the table is: the engine then need not sort them. Those that differ only beyond their id may
    /// be in any order.
    pub(crate) fn into_rows(mut self) -> (MessageRows, SortedMessages) {
        let names = &self.names;
        self.entries.sort_unstable_by(|a, b| a.compare(b, names));
        let mut rows = MessageRows::default();
        for message in &self.entries {
            rows.push(MessageRow {
                org: names.text(message.org),
                conversation_id: message.conversation_id,
                time: message.time,
                message_id: message.id,
                role: message.role,
                user_id: names.text(message.user),
                mentor_id: names.text(message.mentor),
                content: self.contents.read(message.content),
                model: names.text(message.model),
            });
        }
        let sorted = SortedMessages {
            entries: self.entries,
            names: self.names,
        };
        (rows, sorted)
    }
}

impl Message {
    fn compare(&self, other: &Self, names: &Interner) -> Ordering {
        let orgs = if self.org == other.org {
            Ordering::Equal
        } else {
            names.text(self.org).cmp(names.text(other.org))
        };
        let key = |message: &Self| (message.conversation_id, message.time, message.id);
        orgs.then_with(|| key(self).cmp(&key(other)))
    }
}

/// An organisation, a user, a mentor or a model, by its number among the names of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The empty name, which stands for none.
    pub(crate) const NONE: Self = Self(0);
}

/// The names that a batch is full of, each kept once.
#[derive(Debug)]
pub(crate) struct Interner {
    texts: IndexSet<Box<str>, RandomState>,
    bytes: usize,
}

impl Default for Interner {
    fn default() -> Self {
        let mut texts = IndexSet::default();
        texts.insert(Box::default());
        Self { texts, bytes: 0 }
    }
}

impl Interner {
    /// The symbol of this text.
    fn intern(&mut self, text: &str) -> Symbol {
        let index = self.texts.get_index_of(text).unwrap_or_else(|| {
            self.bytes += text.len() + TEXT_OVERHEAD;
            self.texts.insert_full(text.into()).0
        });
        Symbol(u32::try_from(index).expect("memory does not hold as many names"))
    }

    /// The text of a symbol of this batch.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.texts[usize::try_from(symbol.0).expect("an index that was given")]
    }

    /// About the memory that they take, in bytes.
    const fn bytes(&self) -> usize {
        self.bytes
    }
}
