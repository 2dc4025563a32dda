//! A made-up world: organisations, their mentors, and users who come, stay for a while and leave.

use std::sync::Arc;

use events::{Day, HOUR_MILLIS, Timestamp};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_distr::{Distribution, weighted::WeightedAliasIndex};

use crate::phrases::{Subject, subjects};
use crate::{History, Live, pick, zipf};

const DEFAULT_ORGS: [&str; 3] = ["riverside-college", "northwind-academy", "helios-bootcamp"];

/// What kind of organisation it is. More than three take turns.
#[derive(Debug)]
pub(crate) struct Character {
    /// Where its users live: minutes ahead of UTC. There is no daylight saving time in this world.
    pub(crate) zones: &'static [i64],
    /// How much of a weekday's traffic a day of the weekend has, in percent.
    pub(crate) weekend: u32,
    /// Whether its users are numbered rather than named.
    numbered: bool,
}

static CHARACTERS: [Character; 3] = [
    Character {
        zones: &[-300, -300, -360, -480],
        weekend: 30,
        numbered: false,
    },
    Character {
        zones: &[0, 60, 60, 120],
        weekend: 25,
        numbered: false,
    },
    Character {
        zones: &[330, 330, 480, 600],
        weekend: 50,
        numbered: true,
    },
];

const FIRST_NAMES: [&str; 25] = [
    "amara", "ben", "chiara", "dmitri", "elif", "farah", "grace", "hugo", "ines", "jonas", "keiko", "liam",
    "maya", "nikhil", "olga", "pablo", "quinn", "rosa", "samir", "tess", "uma", "viktor", "wren", "yusuf",
    "zoe",
];
const LAST_NAMES: [&str; 24] = [
    "abebe", "berg", "castro", "dubois", "eriksen", "fischer", "garcia", "haddad", "ito", "jansen",
    "kowalski", "lopez", "mbeki", "nguyen", "okafor", "patel", "rossi", "sato", "tanaka", "ueda", "varga",
    "weber", "yilmaz", "zhang",
];

/// How much is said in each hour of a user's own day, from midnight.
const HOURS: [u32; 24] = [
    6, 3, 2, 1, 1, 2, 5, 12, 28, 45, 55, 52, 36, 44, 56, 58, 50, 38, 30, 36, 48, 50, 34, 16,
];

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// The same seed and options give the same world.
    pub seed: u64,
    /// Names of organisations, the largest first; none: three default ones.
    pub orgs: Vec<String>,
    /// How many users all organisations have together.
    pub users: u32,
    /// How many days the history has, the day of `end` included; at least one.
    pub days: u32,
    /// Where the history ends and live traffic begins.
    pub end: Timestamp,
}

/// Organisations with their mentors and users, and the span of their history.
#[derive(Debug)]
pub struct World {
    pub(crate) seed: u64,
    pub(crate) orgs: Vec<Org>,
    pub(crate) first_day: Day,
    /// How many days the history has. Days are counted from zero at `first_day`.
    pub(crate) days: i64,
    pub(crate) end: Timestamp,
    hours: WeightedAliasIndex<u32>,
}

/// An organisation.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) name: String,
    pub(crate) mentors: Vec<&'static Subject>,
    pub(crate) popularity: WeightedAliasIndex<f64>,
    pub(crate) character: &'static Character,
    pub(crate) users: Vec<User>,
}

/// When and how often a user visits.
#[derive(Debug)]
pub(crate) struct User {
    /// The day of the first visit.
    pub(crate) arrives: i64,
    /// The last day on which they may visit.
    pub(crate) leaves: i64,
    /// How likely they visit on a weekday in between, in percent; zero for those who never write.
    pub(crate) visit_percent: u32,
    /// Whether a registration is published.
    pub(crate) registers: bool,
    /// Minutes that their clock is ahead of UTC.
    pub(crate) zone: i64,
    /// The mentor that they mostly write to.
    pub(crate) mentor: usize,
}

/// An example of a request that has an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The largest organisation.
    pub org: String,
    /// Its most popular mentor.
    pub mentor: String,
    /// The first of the last four weeks' days, or of the history's if it is shorter.
    pub start: Day,
    /// The last day of the history.
    pub end: Day,
}

impl World {
    /// Generates a world.
    #[expect(
        clippy::missing_panics_doc,
        reason = "weights that are constant and positive are taken"
    )]
    pub fn new(options: WorldOptions) -> Arc<Self> {
        let WorldOptions {
            seed,
            mut orgs,
            users,
            days,
            end,
        } = options;
        if orgs.is_empty() {
            orgs = DEFAULT_ORGS.map(str::to_owned).to_vec();
        }
        let days = i64::from(days.max(1));
        let first_day = end.day() - (days - 1);

        let mut rng = StdRng::seed_from_u64(seed);
        // The second organisation is half as large as the first, the third a third, and so on.
        let sizes: Vec<u32> = (1..).map(|rank| 1_000_000 / rank).take(orgs.len()).collect();
        let total = u64::from(users);
        let whole = sizes.iter().copied().map(u64::from).sum::<u64>().max(1);
        let orgs = orgs.into_iter().zip(sizes).zip(0..).map(|((name, size), index)| {
            let mut org = Org::new(name, index);
            for _ in 0..(total * u64::from(size)).div_ceil(whole) {
                org.users.push(User::new(&mut rng, &org, first_day, days));
            }
            org
        });
        let orgs = orgs.collect();
        let hours = WeightedAliasIndex::new(HOURS.to_vec()).expect("constant and positive weights");
        Arc::new(Self {
            seed,
            orgs,
            first_day,
            days,
            end,
            hours,
        })
    }

    /// What happened in this world until its end.
    pub fn history(self: &Arc<Self>) -> History {
        History::new(Arc::clone(self))
    }

    /// What happens in this world from its end on, at `rate` events a second on average.
    pub fn live(self: &Arc<Self>, rate: f64) -> Live {
        Live::new(Arc::clone(self), rate)
    }

    /// An example for a first request.
    pub fn example(&self) -> Example {
        let org = &self.orgs[0];
        let last = self.days - 1;
        Example {
            org: org.name.clone(),
            mentor: org.mentors[0].mentor.clone(),
            start: self.first_day + (last - 27).max(0),
            end: self.first_day + last,
        }
    }

    /// Midnight of a day, in UTC.
    pub(crate) fn midnight(&self, day: i64) -> Timestamp {
        Timestamp::start_of(self.first_day + day)
    }

    /// A likely moment for a visit on a day, for those whose clock is `zone` minutes ahead of UTC.
    pub(crate) fn visit(&self, rng: &mut StdRng, day: i64, zone: i64) -> Timestamp {
        let hour = i64::try_from(self.hours.sample(rng)).expect("one of 24");
        let within = rng.random_range(0..HOUR_MILLIS);
        let midnight = self.midnight(day).as_millis() - zone * 60_000;
        Timestamp::from_millis(midnight + hour * HOUR_MILLIS + within)
    }

    /// The model that answers at an instant: a new one came when two thirds of the history had passed.
    pub(crate) fn model(&self, mentor: usize, at: Timestamp) -> &'static str {
        match (mentor % 4, at >= self.midnight(self.days * 2 / 3)) {
            (3, _) => "sage-mini",
            (_, false) => "sage-2",
            (_, true) => "sage-3",
        }
    }
}

impl Org {
    fn new(name: String, index: usize) -> Self {
        // Neighbours share a mentor's name, though not the mentor.
        let mentors: Vec<_> = subjects()
            .iter()
            .cycle()
            .skip(index * 4)
            .take(5 + index % 2)
            .collect();
        let popularity = zipf(u32::try_from(mentors.len()).unwrap_or(u32::MAX), 1.0);
        Self {
            name,
            mentors,
            popularity,
            character: &CHARACTERS[index % CHARACTERS.len()],
            users: Vec::new(),
        }
    }

    /// The id of the user of a given number. Numbers beyond those of `users` belong to newcomers.
    pub(crate) fn user_id(&self, number: usize) -> String {
        if self.character.numbered {
            return (100_000 + number * 7).to_string();
        }
        let first = FIRST_NAMES[number % FIRST_NAMES.len()];
        let last = LAST_NAMES[number % LAST_NAMES.len()];
        // 25 first and 24 last names, which have no common divisor, make 600 pairs before one comes again.
        match number / 600 {
            0 => format!("{first}.{last}"),
            namesakes => format!("{first}.{last}{}", namesakes + 1),
        }
    }
}

impl User {
    fn new(rng: &mut StdRng, org: &Org, first_day: Day, days: i64) -> Self {
        // The later of two days makes arrivals grow from day to day; a single one keeps them level.
        let mut arrives = rng.random_range(0..days);
        if rng.random_ratio(2, 3) {
            arrives = arrives.max(rng.random_range(0..days));
        }
        if (first_day + arrives).is_weekend() && rng.random_ratio(2, 3) {
            arrives = (arrives + 2).min(days - 1);
        }
        let (stays, visit_percent) = match rng.random_range(0..100) {
            0..7 => (0, 0),
            7..35 => (0, 100),
            35..60 => (rng.random_range(2..15), rng.random_range(20..50)),
            _ => (
                14 + rng.random_range(0..200).min(rng.random_range(0..200)),
                rng.random_range(15..70),
            ),
        };
        Self {
            arrives,
            leaves: arrives + stays,
            visit_percent,
            registers: visit_percent == 0 || rng.random_ratio(9, 10),
            zone: *pick(rng, org.character.zones),
            mentor: org.popularity.sample(rng),
        }
    }
}
