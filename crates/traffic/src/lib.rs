//! Made-up chat events: a believable history and live traffic for `demo`, a heavy load for benchmarks.
//!
//! Everything follows from a seed and from the instants passed in, so the same arguments give the same bytes.
//! In reading order:
//!
//! - `world`: organisations, their mentors and their users
//! - `phrases`: what is talked about
//! - `schedule`: conversations as they unfold, in order of time
//! - `history`, `live`: the past of a world, and its present
//! - `load`: many events, fast
//! - `wire`: an event as the record that a producer would send

mod history;
mod live;
mod load;
mod phrases;
mod schedule;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use history::History;
pub use live::Live;
pub use load::{Load, LoadOptions, Tally};
pub use wire::Published;
pub use world::{Example, World, WorldOptions};

use rand::{RngExt, rngs::StdRng};
use rand_distr::weighted::WeightedAliasIndex;
use uuid::{Builder, Uuid};

/// One of `items`, which must not be empty.
fn pick<'a, T>(rng: &mut StdRng, items: &'a [T]) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

/// A random UUID that follows from the seed.
fn random_uuid(rng: &mut StdRng) -> Uuid {
    Builder::from_random_bytes(rng.random()).into_uuid()
}

/// Draws from `0..count` (at least one) by Zipf's law: the rank `r`, counted from 1, weighs `r` to the power of
/// `-exponent`. A table of aliases makes a draw as cheap for a million ranks as for ten.
fn zipf(count: u32, exponent: f64) -> WeightedAliasIndex<f64> {
    let weights = (1..=count.max(1))
        .map(|rank| f64::from(rank).powf(-exponent))
        .collect();
    WeightedAliasIndex::new(weights).expect("weights between 0 and 1, of which the first is 1")
}
