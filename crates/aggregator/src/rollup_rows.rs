//! What the messages of a batch add to the rollups, each key once.
//!
//! A materialized view over the messages would make the same rows, at several times the cost: each view would group
//! again what is already adjacent here, once the messages are sorted. The definitions remain those of
//! [`crate::rollup::definitions`], which `verify` and `rebuild` use; the tests compare these rows with them.

use events::Role;

use crate::{
    messages::{Message, SortedMessages},
    names::Symbol,
    tables::{
        ActivityRow, ActivityRows, ConversationDayRow, ConversationDayRows, ConversationRow,
        ConversationRows, UserRow, UserRows,
    },
};

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

impl Message {
    /// `time · 2¹²⁸ + id`, the lower half first: the least is of the earliest message. No event is older than the year 2000.
    fn position(&self) -> [u128; 2] {
        [self.id, u128::try_from(self.time).unwrap_or_default()]
    }

    /// Whether it makes its user active.
    fn is_activity(&self) -> bool {
        self.role == Role::User && self.user != Symbol::NONE
    }

    const fn day(&self) -> i64 {
        self.time.div_euclid(DAY_MILLIS)
    }
}

impl SortedMessages {
    pub(crate) fn activity(&self) -> ActivityRows {
        let mut active: Vec<(Symbol, Symbol, i64, Symbol)> = Vec::new();
        for message in self.entries.iter().filter(|message| message.is_activity()) {
            let hour = message.time.div_euclid(HOUR_MILLIS);
            let with = (message.org, message.mentor, hour, message.user);
            // Those of a conversation are adjacent.
            if active.last() != Some(&with) {
                active.extend([(message.org, Symbol::NONE, hour, message.user), with]);
            }
        }
        active.sort_unstable();
        active.dedup();
        let mut rows = ActivityRows::default();
        for (org, mentor, hour, user) in active {
            rows.push(ActivityRow {
                org: self.names.text(org),
                mentor_id: self.names.text(mentor),
                // No event is older than the year 2000, nor newer than the clock, which a `DateTime` holds until 2106.
                period: u32::try_from(hour * HOUR_MILLIS / 1_000).unwrap_or(u32::MAX),
                user_id: self.names.text(user),
            });
        }
        rows
    }

    pub(crate) fn users(&self) -> UserRows {
        let mut users: Vec<(Symbol, Symbol, i64)> = Vec::new();
        for message in self.entries.iter().filter(|message| message.is_activity()) {
            match users.last_mut() {
                // The next conversation of a user may have begun earlier.
                Some((org, user, first)) if (*org, *user) == (message.org, message.user) => {
                    *first = message.time.min(*first);
                }
                _ => users.push((message.org, message.user, message.time)),
            }
        }
        users.sort_unstable();
        users.dedup_by_key(|(org, user, _)| (*org, *user));
        let mut rows = UserRows::default();
        for (org, user, first) in users {
            rows.push(UserRow {
                org: self.names.text(org),
                user_id: self.names.text(user),
                first_message_at: first,
            });
        }
        rows
    }

    /// When the earliest message of each organisation was sent.
    pub(crate) fn earliest(&self) -> Vec<(String, i64)> {
        let of_orgs = self.entries.chunk_by(|a, b| a.org == b.org);
        let earliest = of_orgs.filter_map(|messages| {
            let time = messages.iter().map(|message| message.time).min()?;
            Some((self.names.text(messages[0].org).to_owned(), time))
        });
        earliest.collect()
    }

    pub(crate) fn conversations(&self) -> ConversationRows {
        let mut rows = ConversationRows::default();
        for messages in self.by_conversation() {
            let first = &messages[0];
            // One message may have several records.
            let records = messages
                .iter()
                .take_while(|message| message.position() == first.position());
            let mentors = || records.clone().map(|message| self.names.text(message.mentor));
            rows.push(ConversationRow {
                org: self.names.text(first.org),
                conversation_id: first.conversation_id,
                place: first.position(),
                least_mentor: mentors().min().unwrap_or_default(),
                greatest_mentor: mentors().max().unwrap_or_default(),
            });
        }
        rows
    }

    /// The organisation and the id of each.
    pub(crate) fn conversation_ids(&self) -> Vec<(Symbol, u128)> {
        let first = self.by_conversation().map(|messages| &messages[0]);
        first
            .map(|message| (message.org, message.conversation_id))
            .collect()
    }

    pub(crate) fn conversation_days(&self) -> ConversationDayRows {
        let mut rows = ConversationDayRows::default();
        let mut mentors: Vec<(Symbol, i64)> = Vec::new();
        for messages in self.by_conversation() {
            for messages in messages.chunk_by(|a, b| a.day() == b.day()) {
                let first = &messages[0];
                mentors.push((Symbol::NONE, first.time));
                mentors.extend(messages.iter().map(|message| (message.mentor, message.time)));
                mentors.sort_unstable();
                // The earliest of each.
                mentors.dedup_by_key(|(mentor, _)| *mentor);
                for (mentor, first_at) in mentors.drain(..) {
                    rows.push(ConversationDayRow {
                        org: self.names.text(first.org),
                        mentor_id: self.names.text(mentor),
                        day: u16::try_from(first.day()).unwrap_or(u16::MAX),
                        conversation_id: first.conversation_id,
                        first_at,
                    });
                }
            }
        }
        rows
    }

    /// The messages of each conversation, in the order of time. None is empty.
    fn by_conversation(&self) -> impl Iterator<Item = &[Message]> {
        self.entries
            .chunk_by(|a, b| (a.org, a.conversation_id) == (b.org, b.conversation_id))
    }
}
