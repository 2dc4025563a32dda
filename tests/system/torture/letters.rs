//! The topic holds what was published, and the dead letters are exactly its poison.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::{AddAssign, Range},
};

use consumer::{Settings, Stored};

use super::load::{POISON, good};
use crate::records::{DeadLetter, position, read_all};

/// How much was dead-lettered.
#[derive(Default)]
pub(crate) struct DeadLettered {
    /// Records that had to be.
    pub(crate) poison: usize,
    /// Dead letters; a record whose settlement was not committed in time is dead-lettered again.
    pub(crate) letters: usize,
}

impl AddAssign for DeadLettered {
    fn add_assign(&mut self, more: Self) {
        self.poison += more.poison;
        self.letters += more.letters;
    }
}

/// Asserts that the broker has kept these events, as it acknowledged; that every poison record is dead-lettered with its
/// position, its key, its headers and its bytes, and that no other is.
pub(crate) async fn compare(settings: &Settings, published: Range<u32>) -> DeadLettered {
    let (poison, events): (Vec<_>, Vec<_>) = read_all(settings, &settings.topic)
        .await
        .into_iter()
        .partition(|record| record.headers().unwrap().iter().any(|(name, _)| *name == POISON));
    let kept: HashSet<_> = events.iter().map(Stored::value).collect();
    let lost: Vec<_> = published
        .filter(|number| !kept.contains(&good(*number).value.as_deref()))
        .collect();
    assert!(
        lost.is_empty(),
        "the broker acknowledged events that its log does not show: {lost:?}"
    );
    let originals: BTreeMap<_, _> = poison
        .into_iter()
        .map(|record| (position(&record), record))
        .collect();
    let letters = read_all(settings, &settings.dead_letter_topic).await;
    let dead_lettered: BTreeSet<_> = letters
        .iter()
        .map(|letter| DeadLetter::parse(letter, &settings.topic, &originals).origin)
        .collect();
    let missing: Vec<_> = originals
        .keys()
        .filter(|origin| !dead_lettered.contains(origin))
        .collect();
    assert!(
        missing.is_empty(),
        "poison that is not dead-lettered: {missing:?}"
    );
    DeadLettered {
        poison: dead_lettered.len(),
        letters: letters.len(),
    }
}
