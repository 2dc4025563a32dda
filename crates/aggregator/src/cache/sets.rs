//! Sets of users, as numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashTable;
use roaring::{MultiOps, RoaringBitmap};

use super::column::Column;

/// No registration, or no message, in the rollup `users`.
const NEVER: i64 = i64::MAX;

/// The same in what is held, and what is held of an instant that it cannot tell, in seconds.
const NEVER_HELD: u32 = u32::MAX;

/// The users of an organisation, numbered as they are met, and when each registered.
#[derive(Debug, Default)]
pub(super) struct Users {
    numbers: HashTable<u32>,
    hashes: Column<u128>,
    /// The earliest registration, or while there is none the first message, in seconds since 1970.
    since: Column<u32>,
    /// Those of whom a registration is known.
    registered: RoaringBitmap,
}

impl Users {
    /// The number of a user.
    pub(super) fn number(&mut self, user: u128) -> u32 {
        let hashes = &self.hashes;
        let found = self.numbers.entry(
            short(user),
            |&number| hashes.get(number) == Some(&user),
            |&number| hashes.get(number).copied().map_or(0, short),
        );
        let next = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
        let number = *found.or_insert(next).get();
        if number == next {
            self.hashes.push(user);
            self.since.push(NEVER_HELD);
        }
        number
    }

    /// Takes in a row of the rollup `users`, which is in milliseconds.
    pub(super) fn learn(&mut self, user: u128, registered_at: i64, first_message_at: i64) {
        let number = self.number(user);
        let Some(since) = self.since.get_mut(number) else {
            return;
        };
        if registered_at == NEVER {
            if !self.registered.contains(number) {
                *since = held(first_message_at).min(*since);
            }
        } else if self.registered.insert(number) {
            *since = held(registered_at);
        } else {
            *since = held(registered_at).min(*since);
        }
    }

    /// Forgets when users registered. Their numbers stay.
    pub(super) fn unlearn(&mut self) {
        self.since.iter_mut().for_each(|since| *since = NEVER_HELD);
        self.registered.clear();
    }

    /// Those who registered within these seconds, with when they did. Who did before 1970 did so in its first second, and who
    /// did from 2106 on has not.
    pub(super) fn registered(&self, within: Range<u32>) -> impl Iterator<Item = (u32, u32)> {
        (0..)
            .zip(self.since.iter())
            .map(|(number, since)| (number, *since))
            .filter(move |(_, since)| within.contains(since))
    }

    /// The same, as a set.
    pub(super) fn who_registered(&self, within: Range<u32>) -> RoaringBitmap {
        let bits: Vec<u8> = self
            .since
            .chunks(8)
            .map(|chunk| {
                let bits = (0..).zip(chunk);
                bits.fold(0, |bits, (bit, since)| {
                    bits | u8::from(within.contains(since)) << bit
                })
            })
            .collect();
        RoaringBitmap::from_lsb0_bytes(0, &bits)
    }

    /// About how much memory they take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.allocation_size() + self.hashes.bytes() + self.since.bytes() + bytes(&self.registered)
    }
}

/// An instant in milliseconds, as it is held: later ones than any are as if there were none, earlier ones as the first.
fn held(millis: i64) -> u32 {
    let seconds = millis.div_euclid(1000).clamp(0, i64::from(NEVER_HELD));
    u32::try_from(seconds).unwrap_or(NEVER_HELD)
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
