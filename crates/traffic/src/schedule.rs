//! Conversations as they unfold: what is to happen next, in order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_distr::Distribution;
use uuid::Uuid;

use crate::phrases::{self, Subject};
use crate::wire::{Published, publish};
use crate::{World, random_uuid};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What is to happen in a world: what is under way and what was added, not what is over.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) world: Arc<World>,
    pub(crate) rng: StdRng,
    due: BinaryHeap<Reverse<Due>>,
    added: u64,
}

/// A user, by the index of their organisation and their number within it; `None` is an anonymous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Speaker {
    pub(crate) org: usize,
    pub(crate) user: Option<usize>,
}

impl Speaker {
    /// An anonymous one of the same organisation.
    pub(crate) fn anonymous(self) -> Self {
        Self { user: None, ..self }
    }
}

/// Something that is to happen at an instant; of two at the same instant, what was added first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Timestamp,
    added: u64,
    task: Task,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Register(Speaker),
    Speak(Conversation),
    Annotate(Conversation),
    Publish(Published),
}

/// A conversation that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Conversation {
    speaker: Speaker,
    mentor: usize,
    id: Uuid,
    next: Role,
    /// How many messages of the user and the assistant are still to come.
    left: u32,
    /// Whether the user has not written yet.
    opening: bool,
}

impl Schedule {
    /// An empty schedule. `salt` gives each use of a world random numbers of its own.
    pub(crate) fn new(world: Arc<World>, salt: u64) -> Self {
        let rng = StdRng::seed_from_u64(world.seed ^ salt);
        Self {
            world,
            rng,
            due: BinaryHeap::new(),
            added: 0,
        }
    }

    /// When the next thing is to happen.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse(due)| due.at)
    }

    /// Adds a registration.
    pub(crate) fn register(&mut self, at: Timestamp, speaker: Speaker) {
        self.add(at, Task::Register(speaker));
    }

    /// Adds a conversation, mostly with the preferred mentor.
    pub(crate) fn begin_conversation(&mut self, at: Timestamp, speaker: Speaker, preferred: Option<usize>) {
        let rng = &mut self.rng;
        let mentor = match preferred {
            Some(mentor) if rng.random_ratio(7, 10) => mentor,
            _ => self.world.orgs[speaker.org].popularity.sample(rng),
        };
        // One question in ten is never answered; other conversations have 2 to 28 messages, mostly few.
        let left = match rng.random_range(0..10) {
            0 => 1,
            _ => 2 * (1 + rng.random_range(0..14).min(rng.random_range(0..14))),
        };
        let next = if rng.random_ratio(1, 6) {
            Role::System
        } else {
            Role::User
        };
        let conversation = Conversation {
            speaker,
            mentor,
            id: random_uuid(rng),
            next,
            left,
            opening: true,
        };
        self.add(at, Task::Speak(conversation));
    }

    /// Runs what is due until `end`, that instant included, up to the next record.
    pub(crate) fn publish_until(&mut self, end: Timestamp) -> Option<Published> {
        while self.next_at()? <= end {
            let Reverse(Due { at, task, .. }) = self.due.pop()?;
            let record = match task {
                Task::Publish(record) => return Some(record),
                Task::Register(speaker) => self.registration(at, speaker),
                Task::Speak(conversation) => self.message(at, conversation),
                Task::Annotate(conversation) => self.annotation(at, &conversation),
            };
            // As over real networks, some records come late and some come twice.
            if self.rng.random_ratio(1, 300) {
                self.add_within(at, 5 * MINUTE, 30 * HOUR, Task::Publish(record));
                continue;
            }
            if self.rng.random_ratio(1, 150) {
                self.add_within(at, SECOND, 2 * HOUR, Task::Publish(record.clone()));
            }
            return Some(record);
        }
        None
    }

    fn add(&mut self, at: Timestamp, task: Task) {
        self.added += 1;
        self.due.push(Reverse(Due {
            at,
            added: self.added,
            task,
        }));
    }

    /// Adds what is to happen between `least` and `most` milliseconds after an instant.
    fn add_within(&mut self, after: Timestamp, least: i64, most: i64, task: Task) {
        let wait = self.rng.random_range(least..=most);
        self.add(Timestamp::from_millis(after.as_millis() + wait), task);
    }

    fn registration(&mut self, at: Timestamp, speaker: Speaker) -> Published {
        let registered_at = Timestamp::from_millis(at.as_millis() - self.rng.random_range(0..2 * SECOND));
        let user = self.user_id(speaker).unwrap_or_default();
        let body = Body::Registration(Registration {
            user_id: (&user).into(),
            registered_at,
        });
        self.record(at, speaker, body)
    }

    fn message(&mut self, at: Timestamp, conversation: Conversation) -> Published {
        let subject = self.subject(&conversation);
        let user = self.user_id(conversation.speaker);
        let content = match conversation.next {
            Role::System => phrases::instructions(subject),
            Role::User if conversation.opening => phrases::opening(&mut self.rng, subject),
            Role::User => phrases::reply(&mut self.rng, subject),
            Role::Assistant | Role::Tool => phrases::answer(&mut self.rng, subject),
        };
        let body = Body::Message(Message {
            message_id: random_uuid(&mut self.rng),
            conversation_id: conversation.id,
            role: conversation.next,
            user_id: user.as_deref().map(Into::into),
            mentor_id: Some(subject.mentor.as_str().into()),
            content: content.into(),
            model: (conversation.next == Role::Assistant)
                .then(|| self.world.model(conversation.mentor, at).into()),
        });
        let record = self.record(at, conversation.speaker, body);
        self.schedule_next(at, conversation);
        record
    }

    /// After a message comes another one, or an annotation in most cases.
    fn schedule_next(&mut self, at: Timestamp, conversation: Conversation) {
        let said = conversation.next;
        let left = conversation.left - u32::from(said != Role::System);
        let next = if said == Role::User {
            Role::Assistant
        } else {
            Role::User
        };
        let conversation = Conversation {
            next,
            left,
            opening: conversation.opening && said == Role::System,
            ..conversation
        };
        let (least, most) = match said {
            _ if left == 0 => {
                if self.rng.random_ratio(5, 6) {
                    self.add_within(at, 2 * MINUTE, 20 * MINUTE, Task::Annotate(conversation));
                }
                return;
            }
            Role::System => (50, 400),
            Role::User => (1500, 9 * SECOND),
            Role::Assistant | Role::Tool if self.rng.random_ratio(1, 12) => (3 * MINUTE, 20 * MINUTE),
            Role::Assistant | Role::Tool => (12 * SECOND, 150 * SECOND),
        };
        self.add_within(at, least, most, Task::Speak(conversation));
    }

    fn annotation(&mut self, at: Timestamp, conversation: &Conversation) -> Published {
        let subject = self.subject(conversation);
        let topics = phrases::topics(&mut self.rng, subject);
        let sentiment = match self.rng.random_range(0..20) {
            0..10 => Sentiment::Positive,
            10..17 => Sentiment::Neutral,
            _ => Sentiment::Negative,
        };
        let body = Body::Annotation(Annotation {
            conversation_id: conversation.id,
            topics: topics.into_iter().map(Into::into).collect(),
            user_sentiment: sentiment,
            annotated_at: Timestamp::from_millis(at.as_millis() - self.rng.random_range(0..SECOND)),
        });
        self.record(at, conversation.speaker, body)
    }

    fn record(&mut self, at: Timestamp, speaker: Speaker, body: Body<'_>) -> Published {
        let id = random_uuid(&mut self.rng).to_string();
        let org = &self.world.orgs[speaker.org].name;
        let event = Event {
            org: org.into(),
            id: id.into(),
            time: at,
            body,
        };
        publish(&event, self.user_id(speaker).as_deref().unwrap_or("anonymous"))
    }

    fn user_id(&self, speaker: Speaker) -> Option<String> {
        speaker
            .user
            .map(|number| self.world.orgs[speaker.org].user_id(number))
    }

    fn subject(&self, conversation: &Conversation) -> &'static Subject {
        self.world.orgs[conversation.speaker.org].mentors[conversation.mentor]
    }
}
