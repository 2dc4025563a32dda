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

/// What is to happen in a world. Holds what is under way and what was added, never what is over.
#[derive(Debug)]
pub(crate) struct Agenda {
    pub(crate) world: Arc<World>,
    pub(crate) rng: StdRng,
    due: BinaryHeap<Reverse<Due>>,
    added: u64,
}

/// Somebody, by the index of their organisation and their number within it; `None` is nobody known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) org: usize,
    pub(crate) user: Option<usize>,
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
    Register(Who),
    Speak(Talk),
    Annotate(Talk),
    Publish(Published),
}

/// A conversation that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Talk {
    who: Who,
    mentor: usize,
    id: Uuid,
    next: Role,
    /// How many messages of the user and the assistant are still to come.
    left: u32,
    /// Whether nothing was said by the user yet.
    opening: bool,
}

impl Agenda {
    /// An empty agenda. `salt` gives each use of a world random numbers of its own.
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

    /// Somebody is to register.
    pub(crate) fn register(&mut self, at: Timestamp, who: Who) {
        self.add(at, Task::Register(who));
    }

    /// Somebody is to begin a conversation, mostly with the mentor that they prefer.
    pub(crate) fn talk(&mut self, at: Timestamp, who: Who, preferred: Option<usize>) {
        let rng = &mut self.rng;
        let mentor = match preferred {
            Some(mentor) if rng.random_ratio(7, 10) => mentor,
            _ => self.world.orgs[who.org].popularity.sample(rng),
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
        let talk = Talk {
            who,
            mentor,
            id: random_uuid(rng),
            next,
            left,
            opening: true,
        };
        self.add(at, Task::Speak(talk));
    }

    /// Lets everything happen that is due until `end`, that instant included, up to the next record.
    pub(crate) fn publish_until(&mut self, end: Timestamp) -> Option<Published> {
        while self.next_at()? <= end {
            let Reverse(Due { at, task, .. }) = self.due.pop()?;
            let record = match task {
                Task::Publish(record) => return Some(record),
                Task::Register(who) => self.registered(at, who),
                Task::Speak(talk) => self.spoken(at, talk),
                Task::Annotate(talk) => self.annotated(at, &talk),
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

    fn registered(&mut self, at: Timestamp, who: Who) -> Published {
        let registered_at = Timestamp::from_millis(at.as_millis() - self.rng.random_range(0..2 * SECOND));
        let user = self.user_id(who).unwrap_or_default();
        let body = Body::Registration(Registration {
            user_id: (&user).into(),
            registered_at,
        });
        self.record(at, who, body)
    }

    fn spoken(&mut self, at: Timestamp, talk: Talk) -> Published {
        let subject = self.subject(&talk);
        let user = self.user_id(talk.who);
        let content = match talk.next {
            Role::System => phrases::instructions(subject),
            Role::User if talk.opening => phrases::opening(&mut self.rng, subject),
            Role::User => phrases::reply(&mut self.rng, subject),
            Role::Assistant | Role::Tool => phrases::answer(&mut self.rng, subject),
        };
        let body = Body::Message(Message {
            message_id: random_uuid(&mut self.rng),
            conversation_id: talk.id,
            role: talk.next,
            user_id: user.as_deref().map(Into::into),
            mentor_id: Some(subject.mentor.into()),
            content: content.into(),
            model: (talk.next == Role::Assistant).then(|| self.world.model(talk.mentor, at).into()),
        });
        let record = self.record(at, talk.who, body);
        self.go_on(at, talk);
        record
    }

    /// After a message comes another one, or an annotation in most cases.
    fn go_on(&mut self, at: Timestamp, talk: Talk) {
        let said = talk.next;
        let left = talk.left - u32::from(said != Role::System);
        let next = if said == Role::User {
            Role::Assistant
        } else {
            Role::User
        };
        let talk = Talk {
            next,
            left,
            opening: talk.opening && said == Role::System,
            ..talk
        };
        let (least, most) = match said {
            _ if left == 0 => {
                if self.rng.random_ratio(5, 6) {
                    self.add_within(at, 2 * MINUTE, 20 * MINUTE, Task::Annotate(talk));
                }
                return;
            }
            Role::System => (50, 400),
            Role::User => (1500, 9 * SECOND),
            Role::Assistant | Role::Tool if self.rng.random_ratio(1, 12) => (3 * MINUTE, 20 * MINUTE),
            Role::Assistant | Role::Tool => (12 * SECOND, 150 * SECOND),
        };
        self.add_within(at, least, most, Task::Speak(talk));
    }

    fn annotated(&mut self, at: Timestamp, talk: &Talk) -> Published {
        let subject = self.subject(talk);
        let topics = phrases::topics(&mut self.rng, subject);
        let sentiment = match self.rng.random_range(0..20) {
            0..10 => Sentiment::Positive,
            10..17 => Sentiment::Neutral,
            _ => Sentiment::Negative,
        };
        let body = Body::Annotation(Annotation {
            conversation_id: talk.id,
            topics: topics.into_iter().map(Into::into).collect(),
            user_sentiment: sentiment,
            annotated_at: Timestamp::from_millis(at.as_millis() - self.rng.random_range(0..SECOND)),
        });
        self.record(at, talk.who, body)
    }

    fn record(&mut self, at: Timestamp, who: Who, body: Body<'_>) -> Published {
        let id = random_uuid(&mut self.rng).to_string();
        let org = &self.world.orgs[who.org].name;
        let event = Event {
            org: org.into(),
            id: id.into(),
            time: at,
            body,
        };
        publish(&event, self.user_id(who).as_deref().unwrap_or("anonymous"))
    }

    fn user_id(&self, who: Who) -> Option<String> {
        who.user.map(|number| self.world.orgs[who.org].user_id(number))
    }

    fn subject(&self, talk: &Talk) -> &'static Subject {
        self.world.orgs[talk.who.org].mentors[talk.mentor]
    }
}
