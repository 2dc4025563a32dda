//! What the messages of a batch add to the rollups, each key once.
//!
//! A materialized view over the messages would find the same, at several times the cost: the engine would group in
//! each view what here lies side by side, once the messages are sorted. The definitions stay those of
//! [`crate::definitions`], which `verify` and `rebuild` go by and the tests hold this against.

use events::{Day, Grain, Role, Timestamp};

use crate::messages::{Message, SortedMessages};
use crate::names::Name;
use crate::native::{Block, Column};

const HOUR_MILLIS: i64 = Grain::Hour.millis();

/// A message's place in time: the tie-break is its id. Written as a `UInt256` whose order is the same.
type Place = (i64, u128);

impl Message {
    const fn place(&self) -> Place {
        (self.time, self.id)
    }

    /// Whether it makes its user active.
    fn is_activity(&self) -> bool {
        self.role == Role::User && self.user != Name::NONE
    }

    fn day(&self) -> Day {
        Timestamp::from_millis(self.time).day()
    }
}

impl SortedMessages {
    /// The rows of `incoming_activity`.
    pub(crate) fn activity(&self) -> Block {
        let mut active: Vec<(Name, Name, i64, Name)> = Vec::new();
        for message in self.rows.iter().filter(|message| message.is_activity()) {
            let hour = message.time.div_euclid(HOUR_MILLIS);
            let with = (message.org, message.mentor, hour, message.user);
            // Those of a conversation lie side by side.
            if active.last() != Some(&with) {
                active.extend([(message.org, Name::NONE, hour, message.user), with]);
            }
        }
        active.sort_unstable();
        active.dedup();
        let mut org = Column::new("org", "String");
        let mut mentor_id = Column::new("mentor_id", "String");
        let mut period = Column::new("period", "DateTime('UTC')");
        let mut user_id = Column::new("user_id", "String");
        for (of, mentor, hour, user) in &active {
            org.push_str(self.names.text(*of));
            mentor_id.push_str(self.names.text(*mentor));
            // No event is older than the year 2000, nor newer than the clock, which a `DateTime` holds until 2106.
            period.push_u32(u32::try_from(hour * HOUR_MILLIS / 1_000).unwrap_or(u32::MAX));
            user_id.push_str(self.names.text(*user));
        }
        Block::new(4, active.len())
            .column(org)
            .column(mentor_id)
            .column(period)
            .column(user_id)
    }

    /// The rows of `incoming_users`.
    pub(crate) fn users(&self) -> Block {
        let mut users: Vec<(Name, Name, i64)> = Vec::new();
        for message in self.rows.iter().filter(|message| message.is_activity()) {
            let (org, user) = (message.org, message.user);
            if users
                .last()
                .is_none_or(|(last_org, last_user, _)| (*last_org, *last_user) != (org, user))
            {
                users.push((org, user, message.time));
            } else if let Some((_, _, first)) = users.last_mut() {
                // The next conversation may have begun earlier.
                *first = message.time.min(*first);
            }
        }
        users.sort_unstable();
        users.dedup_by_key(|(org, user, _)| (*org, *user));
        let mut org = Column::new("org", "String");
        let mut user_id = Column::new("user_id", "String");
        let mut first_message_at = Column::new("first_message_at", "Int64");
        for (of, user, first) in &users {
            org.push_str(self.names.text(*of));
            user_id.push_str(self.names.text(*user));
            first_message_at.push_i64(*first);
        }
        Block::new(3, users.len())
            .column(org)
            .column(user_id)
            .column(first_message_at)
    }

    /// The rows of `conversations`.
    pub(crate) fn conversations(&self) -> Block {
        let mut rows = 0;
        let mut org = Column::new("org", "String");
        let mut conversation_id = Column::new("conversation_id", "UInt128");
        let mut first = Column::new("first", "UInt256");
        let mut least_mentor = Column::new("least_mentor", "String");
        let mut greatest_mentor = Column::new("greatest_mentor", "String");
        for messages in self.by_conversation() {
            let mentors = || messages.iter().map(|message| self.names.text(message.mentor));
            rows += 1;
            org.push_str(self.names.text(messages[0].org));
            conversation_id.push_u128(messages[0].conversation_id);
            first.push_bytes(&u256(messages[0].place()));
            least_mentor.push_str(mentors().min().unwrap_or_default());
            greatest_mentor.push_str(mentors().max().unwrap_or_default());
        }
        Block::new(5, rows)
            .column(org)
            .column(conversation_id)
            .column(first)
            .column(least_mentor)
            .column(greatest_mentor)
    }

    /// The rows of `conversation_days`.
    pub(crate) fn days(&self) -> Block {
        let mut rows = 0;
        let mut org = Column::new("org", "String");
        let mut day = Column::new("day", "Date");
        let mut conversation_id = Column::new("conversation_id", "UInt128");
        let mut first = Column::new("first", "UInt256");
        for messages in self.by_conversation() {
            for messages in messages.chunk_by(|a, b| a.day() == b.day()) {
                rows += 1;
                org.push_str(self.names.text(messages[0].org));
                let of_day = u16::try_from(messages[0].day().number()).unwrap_or(u16::MAX);
                day.push_bytes(&of_day.to_le_bytes());
                conversation_id.push_u128(messages[0].conversation_id);
                first.push_bytes(&u256(messages[0].place()));
            }
        }
        Block::new(4, rows)
            .column(org)
            .column(day)
            .column(conversation_id)
            .column(first)
    }

    /// The messages of each conversation, in the order of time. None is empty.
    fn by_conversation(&self) -> impl Iterator<Item = &[Message]> {
        self.rows
            .chunk_by(|a, b| (a.org, a.conversation_id) == (b.org, b.conversation_id))
    }
}

/// `time in milliseconds · 2¹²⁸ + message_id`, as ClickHouse writes it. No event is older than the year 2000.
fn u256((time, id): Place) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (low, high) = bytes.split_at_mut(16);
    low.copy_from_slice(&id.to_le_bytes());
    high.copy_from_slice(&i128::from(time).to_le_bytes());
    bytes
}
