//! What the messages of a batch add to the rollups, each key once.
//!
//! A materialized view over the messages would find the same, at several times the cost: the engine would group in
//! each view what is grouped here while it is collected. The definitions stay those of `rollups/`, which `verify` and
//! `rebuild` go by and the tests hold this against.

use std::collections::{HashMap, HashSet};

use events::{Event, Message, Role};
use indexmap::IndexSet;

use crate::native::{ArrayColumn, Block, Column};

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// About what an entry of each kind takes in its map, in bytes.
const ACTIVE_BYTES: usize = 48;
const USER_BYTES: usize = 48;
const CONVERSATION_BYTES: usize = 320;
const DAY_BYTES: usize = 128;
const NAME_BYTES: usize = 64;

/// An organisation, a user or a mentor: its place among the names of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name(usize);

/// A message's place in time: the tie-break is its id. Written as a `UInt256` whose order is the same.
type Place = (i64, u128);

/// The place after all others, which stands for none.
const NO_PLACE: [u8; 32] = [0xff; 32];

/// The rows of the rollups of messages, grouped by their keys.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    names: IndexSet<Box<str>>,
    name_bytes: usize,
    /// Organisation, mentor, hour (in seconds since 1970), user.
    active: HashSet<(Name, Name, u32, Name)>,
    /// When each user of an organisation spoke first, in milliseconds since 1970.
    users: HashMap<(Name, Name), i64>,
    conversations: HashMap<(Name, u128), Conversation>,
    /// The earliest message of each conversation in each day (since 1970).
    days: HashMap<(Name, u16, u128), Place>,
    counted: usize,
}

#[derive(Debug)]
struct Conversation {
    first: Place,
    first_user: Option<Place>,
    last_model: Option<Place>,
    least_mentor: Name,
    greatest_mentor: Name,
    /// May hold one twice; the rollup does not mind.
    counted: Vec<u128>,
}

impl Grouped {
    /// Adds what a message says.
    pub(crate) fn append(&mut self, event: &Event<'_>, message: &Message<'_>) {
        let org = self.name(&event.org);
        let mentor_id = message.mentor_id.as_deref().unwrap_or_default();
        let mentor = self.name(mentor_id);
        let (time, id) = (event.time.as_millis(), message.message_id.as_u128());
        let place = (time, id);
        let speaks = message.role == Role::User;
        if let Some(user_id) = message.user_id.as_deref().filter(|id| speaks && !id.is_empty()) {
            let (user, any) = (self.name(user_id), self.name(""));
            let hour = time.div_euclid(HOUR_MILLIS) * HOUR_MILLIS / 1_000;
            // No event is older than the year 2000, nor newer than the clock, which a `DateTime` holds until 2106.
            let hour = u32::try_from(hour).unwrap_or(u32::MAX);
            self.active.insert((org, any, hour, user));
            self.active.insert((org, mentor, hour, user));
            let first = self.users.entry((org, user)).or_insert(time);
            *first = time.min(*first);
        }

        let conversation_id = message.conversation_id.as_u128();
        let day = u16::try_from(time.div_euclid(DAY_MILLIS)).unwrap_or(u16::MAX);
        let first = self.days.entry((org, day, conversation_id)).or_insert(place);
        *first = place.min(*first);

        let conversation = self
            .conversations
            .entry((org, conversation_id))
            .or_insert_with(|| Conversation {
                first: place,
                first_user: None,
                last_model: None,
                least_mentor: mentor,
                greatest_mentor: mentor,
                counted: Vec::new(),
            });
        conversation.first = place.min(conversation.first);
        if speaks {
            let first_user = conversation.first_user.get_or_insert(place);
            *first_user = place.min(*first_user);
        }
        let names_model = message.model.as_deref().is_some_and(|model| !model.is_empty());
        if message.role == Role::Assistant && names_model {
            conversation.last_model = conversation.last_model.max(Some(place));
        }
        if *mentor_id < *self.names[conversation.least_mentor.0] {
            conversation.least_mentor = mentor;
        }
        if *mentor_id > *self.names[conversation.greatest_mentor.0] {
            conversation.greatest_mentor = mentor;
        }
        if matches!(message.role, Role::User | Role::Assistant) {
            conversation.counted.push(id);
            self.counted += 1;
        }
    }

    /// The memory that it takes, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.names.len() * NAME_BYTES
            + self.name_bytes
            + self.active.len() * ACTIVE_BYTES
            + self.users.len() * USER_BYTES
            + self.conversations.len() * CONVERSATION_BYTES
            + self.counted * size_of::<u128>()
            + self.days.len() * DAY_BYTES
    }

    /// The rows of `incoming_activity`.
    pub(crate) fn activity(&self) -> Block {
        let mut org = Column::new("org", "String");
        let mut mentor_id = Column::new("mentor_id", "String");
        let mut period = Column::new("period", "DateTime('UTC')");
        let mut user_id = Column::new("user_id", "String");
        for (of, mentor, hour, user) in &self.active {
            org.push_str(self.text(*of));
            mentor_id.push_str(self.text(*mentor));
            period.push_u32(*hour);
            user_id.push_str(self.text(*user));
        }
        Block::new(4, self.active.len())
            .column(org)
            .column(mentor_id)
            .column(period)
            .column(user_id)
    }

    /// The rows of `incoming_users`.
    pub(crate) fn users(&self) -> Block {
        let mut org = Column::new("org", "String");
        let mut user_id = Column::new("user_id", "String");
        let mut first_message_at = Column::new("first_message_at", "Int64");
        for ((of, user), first) in &self.users {
            org.push_str(self.text(*of));
            user_id.push_str(self.text(*user));
            first_message_at.push_i64(*first);
        }
        Block::new(3, self.users.len())
            .column(org)
            .column(user_id)
            .column(first_message_at)
    }

    /// The rows of `conversations`.
    pub(crate) fn conversations(&self) -> Block {
        let mut org = Column::new("org", "String");
        let mut conversation_id = Column::new("conversation_id", "UInt128");
        let mut first = Column::new("first", "UInt256");
        let mut first_user = Column::new("first_user", "UInt256");
        let mut last_model = Column::new("last_model", "UInt256");
        let mut least_mentor = Column::new("least_mentor", "String");
        let mut greatest_mentor = Column::new("greatest_mentor", "String");
        let mut counted = ArrayColumn::new("counted", "Array(UInt128)");
        for ((of, id), conversation) in &self.conversations {
            org.push_str(self.text(*of));
            conversation_id.push_u128(*id);
            first.push_bytes(&u256(conversation.first));
            first_user.push_bytes(&conversation.first_user.map_or(NO_PLACE, u256));
            last_model.push_bytes(&conversation.last_model.map_or([0; 32], u256));
            least_mentor.push_str(self.text(conversation.least_mentor));
            greatest_mentor.push_str(self.text(conversation.greatest_mentor));
            counted.push_u128s(&conversation.counted);
        }
        Block::new(8, self.conversations.len())
            .column(org)
            .column(conversation_id)
            .column(first)
            .column(first_user)
            .column(last_model)
            .column(least_mentor)
            .column(greatest_mentor)
            .array(counted)
    }

    /// The rows of `conversation_days`.
    pub(crate) fn days(&self) -> Block {
        let mut org = Column::new("org", "String");
        let mut day = Column::new("day", "Date");
        let mut conversation_id = Column::new("conversation_id", "UInt128");
        let mut first = Column::new("first", "UInt256");
        for ((of, of_day, id), place) in &self.days {
            org.push_str(self.text(*of));
            day.push_bytes(&of_day.to_le_bytes());
            conversation_id.push_u128(*id);
            first.push_bytes(&u256(*place));
        }
        Block::new(4, self.days.len())
            .column(org)
            .column(day)
            .column(conversation_id)
            .column(first)
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some(place) = self.names.get_index_of(text) {
            return Name(place);
        }
        self.name_bytes += text.len();
        Name(self.names.insert_full(text.into()).0)
    }

    fn text(&self, name: Name) -> &str {
        &self.names[name.0]
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
