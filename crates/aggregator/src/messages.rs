//! The messages of a batch, before they are rows.

use std::cmp::Ordering;

use events::{Event, Role};
use twox_hash::XxHash3_128;

use crate::{
    names::{Names, Symbol},
    native::{BufferRange, ChunkedBuffer},
    tables::{MessageRow, MessageRows},
};

/// What a message takes, without its texts, in bytes: as it is, which is more than its row.
const MESSAGE_BYTES: usize = size_of::<Message>();

/// The most that it adds to the rows of rollups, without its texts, in bytes: two rows each of activity and of the days of
/// conversations, and one each of users and of conversations.
const ROLLUP_BYTES: usize = 140;

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
    /// Of all that is not its key: it tells records of one message apart.
    digest: u128,
    content: BufferRange,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    entries: Vec<Message>,
    contents: ChunkedBuffer,
    /// What the digest of a message is made of; here, so that its memory is used again.
    digested: Vec<u8>,
    seen: RecentHashes,
    /// The most that their rows take, without contents, in bytes.
    row_bytes: usize,
}

/// Messages in the order of their table, and the names in them.
#[derive(Debug)]
pub(crate) struct SortedMessages {
    pub(crate) entries: Vec<Message>,
    pub(crate) names: Names,
}

impl Messages {
    pub(crate) fn append(&mut self, names: &mut Names, event: &Event<'_>, message: &events::Message<'_>) {
        let mut intern = |text: Option<&str>| text.map_or(Symbol::NONE, |text| names.intern(text));
        let (org, user) = (intern(Some(&event.org)), intern(message.user_id.as_deref()));
        let (mentor, model) = (
            intern(message.mentor_id.as_deref()),
            intern(message.model.as_deref()),
        );
        let length = |symbol| names.text(symbol).len();
        self.row_bytes += MESSAGE_BYTES + length(org) + length(user) + length(mentor) + length(model);
        let speaker = if message.role == Role::User {
            user
        } else {
            Symbol::NONE
        };
        let hour = event.time.as_millis().div_euclid(3_600_000);
        let key = (org, message.conversation_id.as_u128(), mentor, hour, speaker);
        if self.seen.is_new(names.hash(&key)) {
            self.row_bytes += ROLLUP_BYTES + 6 * length(org) + 3 * length(user) + 4 * length(mentor);
        }
        let names = [&message.user_id, &message.mentor_id, &message.model];
        let digest = digest(
            &mut self.digested,
            message.role.as_str(),
            names.map(|name| name.as_deref().unwrap_or_default()),
            &message.content,
        );
        self.entries.push(Message {
            org,
            conversation_id: message.conversation_id.as_u128(),
            time: event.time.as_millis(),
            id: message.message_id.as_u128(),
            role: message.role,
            user,
            mentor,
            model,
            digest,
            content: self.contents.write(message.content.as_bytes()),
        });
    }

    /// The number of messages.
    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// The memory that they take without their names, in bytes, as they are or as rows.
    pub(crate) const fn bytes(&self) -> usize {
        self.row_bytes + self.contents.len()
    }

    /// Their rows, each once, sorted as the table is: the engine then need not sort them.
    pub(crate) fn into_rows(mut self, names: Names) -> (MessageRows, SortedMessages) {
        self.entries.sort_unstable_by(|a, b| a.compare(b, &names));
        self.entries.dedup_by(|a, b| a.compare(b, &names).is_eq());
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
                digest: message.digest,
            });
        }
        let sorted = SortedMessages {
            entries: self.entries,
            names,
        };
        (rows, sorted)
    }
}

impl Message {
    fn compare(&self, other: &Self, names: &Names) -> Ordering {
        let orgs = if self.org == other.org {
            Ordering::Equal
        } else {
            names.text(self.org).cmp(names.text(other.org))
        };
        let key = |message: &Self| (message.conversation_id, message.time, message.id, message.digest);
        orgs.then_with(|| key(self).cmp(&key(other)))
    }
}

/// A hash of what a record of a message holds besides its key. Each text ends with a byte that UTF-8 has not, so that no two
/// records have the same bytes. A producer that makes two collide loses one of them, which are both its own.
pub(crate) fn digest(
    bytes: &mut Vec<u8>,
    role: &str,
    [user, mentor, model]: [&str; 3],
    content: &str,
) -> u128 {
    bytes.clear();
    for text in [role, user, mentor, model] {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0xff);
    }
    bytes.extend_from_slice(content.as_bytes());
    XxHash3_128::oneshot(bytes)
}

/// Hashes of what has come lately.
#[derive(Debug, Default)]
struct RecentHashes(Vec<u64>);

impl RecentHashes {
    const SLOTS: u64 = 4_096;

    /// Whether it is none of them. Of many, some are forgotten, and count as new again.
    fn is_new(&mut self, hash: u64) -> bool {
        let slot = usize::try_from(hash % Self::SLOTS).unwrap_or(0);
        if self.0.is_empty() {
            self.0.resize(usize::try_from(Self::SLOTS).unwrap_or(1), 0);
        }
        std::mem::replace(&mut self.0[slot], hash) != hash
    }
}

#[cfg(test)]
mod tests {
    use events::{Body, Message, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::{Batch, tables::Rows};

    fn message(id: u128, user: &'static str, content: &'static str) -> Event<'static> {
        Event {
            org: "org".into(),
            id: "id".into(),
            time: Timestamp::from_millis(1_735_689_600_000),
            body: Body::Message(Message {
                message_id: Uuid::from_u128(id),
                conversation_id: Uuid::from_u128(7),
                role: Role::User,
                user_id: Some(user.into()),
                mentor_id: None,
                content: content.into(),
                model: None,
            }),
        }
    }

    fn appended(events: &[Event<'_>]) -> (Messages, Names) {
        let (mut messages, mut names) = (Messages::default(), Names::default());
        for event in events {
            if let Body::Message(message) = &event.body {
                messages.append(&mut names, event, message);
            }
        }
        (messages, names)
    }

    #[test]
    fn each_record_of_a_message_is_one_row() {
        let records = [
            message(1, "ada", "hello"),
            message(2, "ada", "hello"),
            message(1, "ada", "hello, again"),
            message(1, "adah", "ello"),
            message(1, "ada", "hello"),
        ];
        let (messages, names) = appended(&records);
        let (rows, sorted) = messages.into_rows(names);
        assert_eq!(rows.len(), 4);
        assert!(
            sorted
                .entries
                .is_sorted_by(|a, b| a.compare(b, &sorted.names).is_lt())
        );
    }

    #[test]
    fn a_batch_takes_no_less_than_its_rows() {
        let texts = ["", "a", "a text of a message that is of some length"];
        let mut batch = Batch::new();
        for number in 0..20_000_u128 {
            let text = texts[usize::try_from(number % 3).unwrap()];
            let mut event = message(number, "a user of a long name", text);
            if let Body::Message(message) = &mut event.body {
                // Some conversations are of one message, others go on later.
                message.conversation_id = Uuid::from_u128(number % 11_000);
                message.mentor_id = Some(format!("a mentor of the number {}", number % 5).into());
            }
            batch.append(&event);
        }
        let bytes = batch.bytes();
        let sealed = batch.seal();
        let chunks = sealed
            .facts
            .iter()
            .chain(&sealed.rollups)
            .flat_map(|insert| &insert.chunks);
        let sent: usize = chunks.map(bytes::Bytes::len).sum();
        assert!(bytes >= sent, "{bytes} bytes, and {sent} are sent");
        assert!(bytes < 3 * sent, "{bytes} bytes, and {sent} are sent");
    }
}
