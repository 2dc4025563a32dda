//! The past of a world, planned a day at a time.

use std::sync::Arc;

use events::{Day, HOUR_MILLIS, Timestamp};
use rand::RngExt;

use crate::schedule::{Schedule, Speaker};
use crate::{Published, World, pick};

/// No clock on Earth is further ahead of UTC than this.
const EASTERNMOST: i64 = 14 * HOUR_MILLIS;

/// The records of a world's history in the order in which they were published, which is about that of their
/// `time`. Memory holds the world and about a day's conversations, not their texts.
#[derive(Debug)]
pub struct History {
    schedule: Schedule,
    /// The first day that is not planned yet.
    unplanned: i64,
}

impl History {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            schedule: Schedule::new(world, 0x9a57),
            unplanned: 0,
        }
    }

    /// Decides who visits on a day of their own calendar.
    fn plan(&mut self, day: i64) {
        let world = Arc::clone(&self.schedule.world);
        let weekend = (world.first_day + day).is_weekend();
        for (org_index, org) in world.orgs.iter().enumerate() {
            let share = if weekend { org.character.weekend } else { 100 };
            for (number, user) in org.users.iter().enumerate() {
                let newcomer = day == user.arrives;
                let there = (user.arrives..=user.leaves).contains(&day);
                let rng = &mut self.schedule.rng;
                if !there || !(newcomer || rng.random_ratio(user.visit_percent * share, 10_000)) {
                    continue;
                }
                let mut at = world.visit(rng, day, user.zone);
                if at < world.midnight(0) {
                    at = Timestamp::from_millis(at.as_millis() + Day::MILLIS);
                }
                let speaker = Speaker {
                    org: org_index,
                    user: Some(number),
                };
                if newcomer && user.registers {
                    self.schedule.register(at, speaker);
                }
                if user.visit_percent > 0 {
                    self.visit(day, at, speaker, user.mentor);
                }
            }
        }
    }

    /// One conversation or two, and now and then one of an anonymous user.
    fn visit(&mut self, day: i64, at: Timestamp, speaker: Speaker, mentor: usize) {
        let world = Arc::clone(&self.schedule.world);
        let rng = &mut self.schedule.rng;
        let begins = at.as_millis() + rng.random_range(20_000..600_000);
        let returns = rng
            .random_ratio(3, 10)
            .then(|| begins + rng.random_range(1_200_000..14_400_000));
        let stranger = rng.random_ratio(1, 25).then(|| {
            let zone = *pick(rng, world.orgs[speaker.org].character.zones);
            world.visit(rng, day, zone)
        });
        for begins in [Some(begins), returns].into_iter().flatten() {
            self.schedule
                .begin_conversation(Timestamp::from_millis(begins), speaker, Some(mentor));
        }
        if let Some(at) = stranger.filter(|at| *at >= world.midnight(0)) {
            self.schedule.begin_conversation(at, speaker.anonymous(), None);
        }
    }
}

impl Iterator for History {
    type Item = Published;

    fn next(&mut self) -> Option<Published> {
        let (days, end) = (self.schedule.world.days, self.schedule.world.end.as_millis());
        loop {
            // Furthest east, a day begins before it does in UTC; what is planned so far is in order only up to
            // there. One more day is planned than the history has, for the morning there.
            let known = match self.unplanned {
                day if day <= days => self.schedule.world.midnight(day).as_millis() - EASTERNMOST,
                _ => end,
            };
            // The end itself belongs to live traffic.
            let until = Timestamp::from_millis(known.min(end) - 1);
            if let Some(record) = self.schedule.publish_until(until) {
                return Some(record);
            }
            if known >= end {
                return None;
            }
            self.plan(self.unplanned);
            self.unplanned += 1;
        }
    }
}
