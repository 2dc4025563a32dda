//! The present of a world.

use std::sync::Arc;
use std::time::Duration;

use events::Timestamp;
use rand::RngExt;

use crate::schedule::{Schedule, Speaker};
use crate::{Published, World, pick};

/// Traffic without end, by the users who were there when the history ended and by newcomers.
#[derive(Debug)]
pub struct Live {
    schedule: Schedule,
    /// Events a second.
    rate: f64,
    /// How many events are due by now; below zero when more were published than due.
    credit: f64,
    regulars: Vec<(Speaker, Option<usize>)>,
    newcomers: usize,
}

/// How many seconds' worth of events are made up for after a pause, or saved up after a rush.
const MEMORY_SECONDS: f64 = 10.0;

/// From this number of regulars on, a newcomer replaces one.
const ENOUGH_REGULARS: usize = 50;

impl Live {
    pub(crate) fn new(world: Arc<World>, rate: f64) -> Self {
        let mut regulars = Vec::new();
        for (org, users) in world.orgs.iter().map(|org| &org.users).enumerate() {
            for (number, user) in users.iter().enumerate() {
                if user.visit_percent > 0 && user.leaves >= world.days - 1 {
                    regulars.push((
                        Speaker {
                            org,
                            user: Some(number),
                        },
                        Some(user.mentor),
                    ));
                }
            }
        }
        Self {
            schedule: Schedule::new(world, 0x11fe),
            rate,
            credit: 0.0,
            regulars,
            newcomers: 0,
        }
    }

    /// What is published at `now`, `elapsed` after the last call. The `time` of each event lies between the
    /// two, except for the few that come late; conversations begin when there would otherwise be too few events.
    pub fn tick(&mut self, now: Timestamp, elapsed: Duration) -> Vec<Published> {
        let most = (self.rate * MEMORY_SECONDS).max(1.0);
        self.credit = (self.credit + self.rate * elapsed.as_secs_f64()).clamp(-most, most);
        let mut records = Vec::new();
        loop {
            if let Some(record) = self.schedule.publish_until(now) {
                records.push(record);
                self.credit -= 1.0;
            } else if self.credit >= 1.0 {
                self.begin(now);
            } else {
                return records;
            }
        }
    }

    /// Begins a conversation: mostly of a regular, now and then of a newcomer or an anonymous user.
    fn begin(&mut self, now: Timestamp) {
        let rng = &mut self.schedule.rng;
        let stranger = rng.random_ratio(1, 25);
        if self.regulars.is_empty() || !stranger && rng.random_ratio(1, 10) {
            return self.welcome(now);
        }
        let (speaker, mentor) = *pick(rng, &self.regulars);
        if stranger {
            self.schedule.begin_conversation(now, speaker.anonymous(), None);
        } else {
            self.schedule.begin_conversation(now, speaker, mentor);
        }
    }

    /// A newcomer registers, and writes within the minute.
    fn welcome(&mut self, now: Timestamp) {
        let rng = &mut self.schedule.rng;
        let org = match self.regulars.len() {
            0 => rng.random_range(0..self.schedule.world.orgs.len()),
            _ => pick(rng, &self.regulars).0.org,
        };
        let number = self.schedule.world.orgs[org].users.len() + self.newcomers;
        self.newcomers += 1;
        let newcomer = (
            Speaker {
                org,
                user: Some(number),
            },
            None,
        );
        if self.regulars.len() < ENOUGH_REGULARS {
            self.regulars.push(newcomer);
        } else {
            let leaver = rng.random_range(0..self.regulars.len());
            self.regulars[leaver] = newcomer;
        }
        let soon = now.as_millis() + rng.random_range(5_000..60_000);
        self.schedule.register(now, newcomer.0);
        self.schedule
            .begin_conversation(Timestamp::from_millis(soon), newcomer.0, None);
    }
}
