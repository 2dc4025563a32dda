//! Many events, fast, for benchmarks: random texts, with the sizes, proportions and popularities of a
//! busy platform.

use std::num::NonZeroU32;

use events::{Annotation, Body, Event, Message, Registration, Role, Sentiment, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, weighted::WeightedAliasIndex};
use uuid::Uuid;

use crate::phrases;
use crate::wire::{Published, publish};
use crate::{pick, random_uuid, zipf};

/// What a load is made of.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// How many records there are.
    pub records: u64,
    /// How many organisations there are; users belong to them by Zipf's law.
    pub orgs: NonZeroU32,
    /// How many users all organisations have together; they write by Zipf's law.
    pub users: NonZeroU32,
    /// How many mentors each organisation has; they are written to by Zipf's law.
    pub mentors: NonZeroU32,
    /// The earliest `time` of an event.
    pub start: Timestamp,
    /// How many days from there the events are spread over, evenly.
    pub days: NonZeroU32,
    /// How many bytes the value of a record has on average. Without any text it has about 420.
    pub event_bytes: NonZeroU32,
    /// Of 100 events, how many are annotations.
    pub annotations: u32,
    /// Of 100 events, how many are registrations. What is left are messages.
    pub registrations: u32,
    /// One record in this many repeats an earlier one; `None`: none does.
    pub repeated: Option<NonZeroU32>,
    /// One record in this many breaks a rule of events; `None`: none does.
    pub malformed: Option<NonZeroU32>,
}

impl LoadOptions {
    /// A month from `start` on of 200,000 users in 40 organisations, in events of 600 bytes: 80% messages,
    /// 12% annotations, 8% registrations; one record in 200 repeated, one in 10,000 malformed.
    pub fn new(records: u64, start: Timestamp) -> Self {
        const fn at_least_one(number: u32) -> NonZeroU32 {
            NonZeroU32::MIN.saturating_add(number - 1)
        }
        Self {
            records,
            orgs: at_least_one(40),
            users: at_least_one(200_000),
            mentors: at_least_one(50),
            start,
            days: at_least_one(30),
            event_bytes: at_least_one(600),
            annotations: 12,
            registrations: 8,
            repeated: Some(at_least_one(200)),
            malformed: Some(at_least_one(10_000)),
        }
    }
}

/// How many records of each kind a load has produced so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages, each under an id of its own.
    pub messages: u64,
    /// Annotations.
    pub annotations: u64,
    /// Registrations.
    pub registrations: u64,
    /// Exact copies of earlier records.
    pub repeated: u64,
    /// Records that break a rule.
    pub malformed: u64,
}

/// The records of a load, in order of time to within two seconds.
#[derive(Debug)]
pub struct Load {
    options: LoadOptions,
    rng: StdRng,
    tally: Tally,
    /// How many records were produced.
    made: u64,
    /// How many microseconds of event time pass from record to record.
    step_micros: u64,
    mentors: Mentors,
    users: Users,
    /// Conversations that are under way: about as many as there are events in a minute.
    conversations: Vec<Conversation>,
    /// Answers of mentors, which the texts of messages consist of.
    phrases: Vec<String>,
    /// Records that may be repeated.
    kept: Vec<Published>,
    /// How many bytes the events so far are short of their average size.
    owed: i64,
}

#[derive(Debug)]
struct Mentors {
    names: Vec<String>,
    popularity: WeightedAliasIndex<f64>,
}

#[derive(Debug)]
struct Users {
    orgs: Vec<String>,
    /// The index into `orgs` of each user's organisation.
    org_of: Vec<usize>,
    popularity: WeightedAliasIndex<f64>,
}

#[derive(Debug)]
struct Conversation {
    id: Uuid,
    user: usize,
    mentor: usize,
    next: Role,
    left: u32,
}

/// What to replace, and with what, in the JSON of a valid message so that it breaks a rule.
const FLAWS: [(&str, &str); 10] = [
    (r#""specversion":"1.0""#, r#""specversion":"0.3""#),
    (r#""type":"#, r#""kind":"#),
    (r#""time":"20"#, r#""time":"19"#),
    (r#""time":"20"#, r#""time":"29"#),
    (r#""org":""#, r#""org":"none of "#),
    (r#""data":{"#, r#""data":[{"#),
    (r#""data":"#, r#""date":"#),
    (r#""message_id":""#, r#""message_id":"#),
    (r#""conversation_id":""#, r#""conversation_id":"7"#),
    (r#""role":""#, r#""role":"ghost-"#),
];

/// Users register this many numbers apart, so that the order says nothing about how much they write.
const STRIDE: u64 = 7919;

/// About how many bytes a message has without its text.
const BARE: i64 = 440;

const PHRASES: usize = 4096;
const KEPT: usize = 256;

impl Load {
    /// The same seed and options give the same records.
    pub fn new(seed: u64, options: LoadOptions) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let sizes = zipf(options.orgs.get(), 0.8);
        let users = Users {
            orgs: (0..options.orgs.get())
                .map(|org| format!("org-{org:03}"))
                .collect(),
            org_of: (0..options.users.get()).map(|_| sizes.sample(&mut rng)).collect(),
            popularity: zipf(options.users.get(), 0.6),
        };
        let mentors = Mentors {
            names: (0..options.mentors.get())
                .map(|mentor| format!("mentor-{mentor:03}"))
                .collect(),
            popularity: zipf(options.mentors.get(), 1.0),
        };
        let minutes = u64::from(options.days.get()) * 24 * 60;
        let conversations = (options.records / minutes).clamp(16, 65_536);
        let conversations = (0..conversations)
            .map(|_| Conversation::new(&mut rng, &users, &mentors))
            .collect();
        let phrases = phrases::subjects().iter().cycle().take(PHRASES);
        let phrases = phrases
            .map(|subject| phrases::answer(&mut rng, subject))
            .collect();
        Self {
            step_micros: minutes * 60_000_000 / options.records.max(1),
            options,
            rng,
            tally: Tally::default(),
            made: 0,
            mentors,
            users,
            conversations,
            phrases,
            kept: Vec::with_capacity(KEPT),
            owed: 0,
        }
    }

    /// How many records of each kind were produced so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    fn chance(&mut self, one_in: Option<NonZeroU32>) -> bool {
        one_in.is_some_and(|one_in| self.rng.random_ratio(1, one_in.get()))
    }

    fn record(&mut self) -> Published {
        if !self.kept.is_empty() && self.chance(self.options.repeated) {
            self.tally.repeated += 1;
            return pick(&mut self.rng, &self.kept).clone();
        }
        let (annotations, registrations) = (self.options.annotations, self.options.registrations);
        let record = match self.rng.random_range(0..100) {
            _ if self.chance(self.options.malformed) => {
                self.tally.malformed += 1;
                let (right, wrong) = *pick(&mut self.rng, &FLAWS);
                let mut record = self.message();
                record.json = record.json.replacen(right, wrong, 1);
                return record;
            }
            dice if dice < annotations => {
                self.tally.annotations += 1;
                self.annotation()
            }
            dice if dice < annotations + registrations => {
                self.tally.registrations += 1;
                self.registration()
            }
            _ => {
                self.tally.messages += 1;
                self.message()
            }
        };
        self.keep(&record);
        record
    }

    /// Keeps one record in 64, which replaces one that was kept before.
    fn keep(&mut self, record: &Published) {
        if self.kept.len() < KEPT {
            self.kept.push(record.clone());
        } else if self.rng.random_ratio(1, 64) {
            let index = self.rng.random_range(0..KEPT);
            self.kept[index].clone_from(record);
        }
    }

    fn message(&mut self) -> Published {
        let index = self.rng.random_range(0..self.conversations.len());
        if self.conversations[index].left == 0 {
            self.conversations[index] = Conversation::new(&mut self.rng, &self.users, &self.mentors);
        }
        let (message_id, content, head) = (random_uuid(&mut self.rng), self.text(), self.head());
        let conversation = &mut self.conversations[index];
        conversation.left -= 1;
        let role = conversation.next;
        conversation.next = if role == Role::User {
            Role::Assistant
        } else {
            Role::User
        };
        let user_id = user_id(conversation.user);
        let body = Body::Message(Message {
            message_id,
            conversation_id: conversation.id,
            role,
            user_id: Some(user_id.as_str().into()),
            mentor_id: Some(self.mentors.names[conversation.mentor].as_str().into()),
            content: content.into(),
            model: (role == Role::Assistant).then(|| "sage-3".into()),
        });
        publish(&head.event(self.users.org(conversation.user), body), &user_id)
    }

    fn annotation(&mut self) -> Published {
        let subject = pick(&mut self.rng, phrases::subjects());
        let topics = phrases::topics(&mut self.rng, subject);
        let user_sentiment = *pick(
            &mut self.rng,
            &[Sentiment::Positive, Sentiment::Neutral, Sentiment::Negative],
        );
        let head = self.head();
        let conversation = pick(&mut self.rng, &self.conversations);
        let body = Body::Annotation(Annotation {
            conversation_id: conversation.id,
            topics: topics.into_iter().map(Into::into).collect(),
            user_sentiment,
            annotated_at: head.time,
        });
        publish(
            &head.event(self.users.org(conversation.user), body),
            &user_id(conversation.user),
        )
    }

    fn registration(&mut self) -> Published {
        let users = u64::from(self.options.users.get());
        let user = usize::try_from(self.tally.registrations * STRIDE % users).unwrap_or_default();
        let (head, user_id) = (self.head(), user_id(user));
        let body = Body::Registration(Registration {
            user_id: user_id.as_str().into(),
            registered_at: head.time,
        });
        publish(&head.event(self.users.org(user), body), &user_id)
    }

    /// As much text as makes up for what is owed, plus or minus a half.
    fn text(&mut self) -> String {
        let room = usize::try_from(self.owed - BARE).unwrap_or(0) * self.rng.random_range(50..150) / 100;
        let mut text = String::with_capacity(room + 200);
        while text.len() < room {
            let phrase: &String = pick(&mut self.rng, &self.phrases);
            text.push_str(phrase);
            text.push(' ');
        }
        text
    }

    fn head(&mut self) -> Head {
        let passed = i64::try_from(self.made * self.step_micros / 1000).unwrap_or(i64::MAX);
        let jitter = self.rng.random_range(0..2000);
        let time = self
            .options
            .start
            .as_millis()
            .saturating_add(passed)
            .saturating_add(jitter);
        Head {
            id: random_uuid(&mut self.rng),
            time: Timestamp::from_millis(time),
        }
    }
}

impl Iterator for Load {
    type Item = Published;

    fn next(&mut self) -> Option<Published> {
        if self.made == self.options.records {
            return None;
        }
        self.owed += i64::from(self.options.event_bytes.get());
        let record = self.record();
        self.owed -= i64::try_from(record.json.len()).unwrap_or(i64::MAX);
        self.made += 1;
        Some(record)
    }
}

/// What every event has.
struct Head {
    id: Uuid,
    time: Timestamp,
}

impl Head {
    fn event<'a>(&self, org: &'a str, body: Body<'a>) -> Event<'a> {
        Event {
            org: org.into(),
            id: self.id.to_string().into(),
            time: self.time,
            body,
        }
    }
}

impl Users {
    fn org(&self, user: usize) -> &str {
        &self.orgs[self.org_of[user]]
    }
}

impl Conversation {
    fn new(rng: &mut StdRng, users: &Users, mentors: &Mentors) -> Self {
        Self {
            id: random_uuid(rng),
            user: users.popularity.sample(rng),
            mentor: mentors.popularity.sample(rng),
            next: Role::User,
            left: 1 + rng.random_range(0..30).min(rng.random_range(0..30)),
        }
    }
}

fn user_id(user: usize) -> String {
    format!("user-{user:07}")
}
