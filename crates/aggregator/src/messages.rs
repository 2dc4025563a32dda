//! The messages of a batch, and their rows in the table of facts.

use std::cmp::Ordering;

use events::{Event, Role};

use crate::names::{Name, Names};
use crate::native::{Block, Column};
use crate::pieces::{Pieces, Place};

/// What a message takes at most in the blocks that it is sealed into, beside its texts, in bytes: a row of messages, two
/// of activity, and one of users, of conversations and of their days each, where it is alone in its conversation.
const SEALED: usize = 240;

/// A message without its text.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) org: Name,
    pub(crate) conversation_id: u128,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) id: u128,
    pub(crate) role: Role,
    /// None where it is anonymous.
    pub(crate) user: Name,
    pub(crate) mentor: Name,
    pub(crate) model: Name,
    /// Where its text is.
    content: Place,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    rows: Vec<Message>,
    contents: Pieces,
    names: Names,
    /// What their names take in the blocks, in bytes.
    sealed_names: usize,
}

/// Messages in the order of their table, and the names in them.
#[derive(Debug)]
pub(crate) struct SortedMessages {
    pub(crate) rows: Vec<Message>,
    pub(crate) names: Names,
}

impl Messages {
    pub(crate) fn append(&mut self, event: &Event<'_>, message: &events::Message<'_>) {
        let mut name = |text: Option<&str>| text.map_or(Name::NONE, |text| self.names.name(text));
        let (org, user) = (name(Some(&event.org)), name(message.user_id.as_deref()));
        let (mentor, model) = (name(message.mentor_id.as_deref()), name(message.model.as_deref()));
        let length = |name| self.names.text(name).len();
        self.sealed_names += 6 * length(org) + 4 * (length(user) + length(mentor)) + length(model);
        self.rows.push(Message {
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

    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// The memory that they take, in bytes, as they are or sealed.
    pub(crate) const fn bytes(&self) -> usize {
        self.rows.len() * SEALED + self.contents.len() + self.sealed_names + self.names.bytes()
    }

    /// Their rows, sorted as the table is: the engine then need not sort them. What differs only beyond its id may lie
    /// in any order.
    pub(crate) fn into_block(mut self) -> (Block, SortedMessages) {
        let names = &self.names;
        self.rows.sort_unstable_by(|a, b| a.compare(b, names));
        let mut org = Column::new("org", "String");
        let mut conversation_id = Column::new("conversation_id", "UInt128");
        let mut time = Column::new("time", "DateTime64(3, 'UTC')");
        let mut message_id = Column::new("message_id", "UInt128");
        let mut role = Column::new(
            "role",
            "Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4)",
        );
        let mut user_id = Column::new("user_id", "String");
        let mut mentor_id = Column::new("mentor_id", "String");
        let mut content = Column::new("content", "String");
        let mut model = Column::new("model", "String");
        for row in &self.rows {
            org.push_str(names.text(row.org));
            conversation_id.push_u128(row.conversation_id);
            time.push_i64(row.time);
            message_id.push_u128(row.id);
            role.push_u8(match row.role {
                Role::User => 1,
                Role::Assistant => 2,
                Role::System => 3,
                Role::Tool => 4,
            });
            user_id.push_str(names.text(row.user));
            mentor_id.push_str(names.text(row.mentor));
            content.push_text(self.contents.read(row.content));
            model.push_str(names.text(row.model));
        }
        let block = Block::new(9, self.rows.len())
            .column(org)
            .column(conversation_id)
            .column(time)
            .column(message_id)
            .column(role)
            .column(user_id)
            .column(mentor_id)
            .column(content)
            .column(model);
        let sorted = SortedMessages {
            rows: self.rows,
            names: self.names,
        };
        (block, sorted)
    }
}

impl Message {
    fn compare(&self, other: &Self, names: &Names) -> Ordering {
        let orgs = if self.org == other.org {
            Ordering::Equal
        } else {
            names.text(self.org).cmp(names.text(other.org))
        };
        let place = |message: &Self| (message.conversation_id, message.time, message.id);
        orgs.then_with(|| place(self).cmp(&place(other)))
    }
}
