//! Sets of users, as numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashTable;
use roaring::{MultiOps, RoaringBitmap};

/// No registration, or no message, in the rollup `users`.
const NEVER: i64 = i64::MAX;

/// The users of an organisation, numbered as they are met, and when each registered.
#[derive(Debug, Default)]
pub(super) struct Users {
    numbers: HashTable<u32>,
    hashes: Vec<u128>,
    /// The earliest registration, or while there is none the first message, in milliseconds.
    since: Vec<i64>,
    /// Those of whom a registration is known.
    registered: RoaringBitmap,
}

impl Users {
    /// The number of a user.
    pub(super) fn number(&mut self, user: u128) -> u32 {
        let hashes = &self.hashes;
        let at = |number: u32| usize::try_from(number).ok().and_then(|at| hashes.get(at));
        let found = self.numbers.entry(
            short(user),
            |&number| at(number) == Some(&user),
            |&number| at(number).copied().map_or(0, short),
        );
        let next = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        let number = *found.or_insert(next).get();
        if number == next {
            self.hashes.push(user);
            self.since.push(NEVER);
        }
        number
    }

    /// Takes in a row of the rollup `users`.
    pub(super) fn learn(&mut self, user: u128, registered_at: i64, first_message_at: i64) {
        let number = self.number(user);
        let Some(since) = usize::try_from(number).ok().and_then(|at| self.since.get_mut(at)) else {
            return;
        };
        if registered_at == NEVER {
            if !self.registered.contains(number) {
                *since = first_message_at.min(*since);
            }
        } else if self.registered.insert(number) {
            *since = registered_at;
        } else {
            *since = registered_at.min(*since);
        }
    }

    /// Forgets when users registered. Their numbers stay.
    pub(super) fn unlearn(&mut self) {
        self.since.fill(NEVER);
        self.registered.clear();
    }

    /// Those who registered within these milliseconds, with when they did.
    pub(super) fn registered(&self, within: Range<i64>) -> impl Iterator<Item = (u32, i64)> {
        (0..)
            .zip(&self.since)
            .map(|(number, since)| (number, *since))
            .filter(move |(_, since)| within.contains(since))
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.allocation_size()
            + self.hashes.capacity() * size_of::<u128>()
            + self.since.capacity() * size_of::<i64>()
            + bytes(&self.registered)
    }
}

/// What is a hash already serves as one.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the half of a hash is one"
)]
const fn short(user: u128) -> u64 {
    user as u64
}

/// Who was active in each period of a window.
#[derive(Debug, Default)]
pub(super) struct Activity {
    periods: BTreeMap<u32, RoaringBitmap>,
}

impl Activity {
    /// Takes in that a user was active in the period that begins at this second.
    pub(super) fn learn(&mut self, period: u32, user: u32) {
        self.periods.entry(period).or_default().insert(user);
    }

    /// Who was active in each bucket of the window that has anybody. A bucket has as many periods as fall in it.
    pub(super) fn buckets(
        &self,
        window: Range<u32>,
        bucket: impl Fn(u32) -> usize,
    ) -> Vec<(usize, Cow<'_, RoaringBitmap>)> {
        let periods: Vec<_> = self
            .periods
            .range(window)
            .map(|(period, users)| (bucket(*period), users))
            .collect();
        periods
            .chunk_by(|(one, _), (next, _)| one == next)
            .filter_map(|periods| match periods {
                [] => None,
                [(bucket, users)] => Some((*bucket, Cow::Borrowed(*users))),
                [(bucket, _), ..] => {
                    let users = periods.iter().map(|(_, users)| *users).union();
                    Some((*bucket, Cow::Owned(users)))
                }
            })
            .collect()
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.periods.values().map(bytes).sum()
    }
}

fn bytes(users: &RoaringBitmap) -> usize {
    /// What a bitmap takes besides its containers, and each of these besides its numbers.
    const BESIDES: u64 = 64;
    const BITSET: u64 = 8_192;
    let of = users.statistics();
    // It takes the numbers of arrays for twice as large as they are.
    let containers = of.n_bytes_array_containers / 2
        + u64::from(of.n_bitset_containers) * BITSET
        + of.n_bytes_run_containers;
    usize::try_from(containers + BESIDES * u64::from(1 + of.n_containers)).unwrap_or(usize::MAX)
}
