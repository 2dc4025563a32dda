//! The answers of a running `rollcall up`, compared with those of the oracle for the same events.

mod late;
pub(crate) mod question;
pub(crate) mod wire;
pub(crate) mod world;

use std::{borrow::Cow, cell::Cell};

use events::{Body, Event};
use oracle::Oracle;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestCaseError, TestRunner},
};
use tempfile::tempdir;

use crate::{harness::Process, records::Record};
use question::compare;
use wire::{Spelling, record};
use world::{World, world};

/// How many worlds are compared with the oracle.
const PROPTEST_CASES: u32 = 24;
/// How often a failure is tried in a smaller world. Each try is published, settled and queried.
const SHRINKS: u32 = 60;
/// A world is published in this many parts, each settled before the next, so that no insert has all of it.
const PARTS: usize = 3;

#[test]
fn answers_equal_the_oracles() {
    let dir = tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let process = runtime.block_on(Process::up(dir.path()));
    let mut runner = TestRunner::new(Config {
        max_shrink_iters: SHRINKS,
        failure_persistence: None,
        ..Config::default()
    });
    let trees: Vec<_> = (0..PROPTEST_CASES)
        .map(|_| world().new_tree(&mut runner).unwrap())
        .collect();
    let worlds: Vec<(String, World)> = trees
        .iter()
        .enumerate()
        .map(|(case, tree)| (format!("Case-{case}_.x"), tree.current()))
        .collect();

    // All worlds are published at once: settling takes the time.
    runtime.block_on(publish(&process, &worlds));
    for ((org, world), tree) in worlds.iter().zip(trees) {
        let Err(first) = runtime.block_on(compare(&process, &oracle(org, world), org, &world.questions))
        else {
            continue;
        };
        let attempts = Cell::new(0);
        let smallest = runner.run_one(tree, |world| {
            attempts.set(attempts.get() + 1);
            let alone = [(format!("{org}.{}", attempts.get()), world)];
            runtime.block_on(publish(&process, &alone));
            let [(org, world)] = &alone;
            runtime
                .block_on(compare(&process, &oracle(org, world), org, &world.questions))
                .map_err(TestCaseError::fail)
        });
        panic!("{first}\nin a world of its own: {smallest:?}");
    }
}

/// Publishes the events of worlds, each under its org, and waits until they are settled.
pub(crate) async fn publish(process: &Process, worlds: &[(String, World)]) {
    for part in 0..PARTS {
        process.publish_records(records(worlds, part, PARTS)).await;
        process.settled().await;
    }
}

/// One of so many parts of the records of worlds, each under its org.
pub(crate) fn records(worlds: &[(String, World)], part: usize, parts: usize) -> impl Iterator<Item = Record> {
    worlds.iter().flat_map(move |(org, world)| {
        let again = world.events.iter().filter(|entry| entry.again);
        let first = world.events.iter().map(|entry| (entry, entry.spelling));
        let all: Vec<_> = first
            .chain(again.map(|entry| (entry, Spelling(!entry.spelling.0))))
            .collect();
        let size = all.len().div_ceil(parts).max(1);
        let records = all.into_iter().skip(part * size).take(size);
        records
            .map(|(entry, spelling)| record(&of(org, &entry.event), spelling))
            .collect::<Vec<Record>>()
    })
}

/// An oracle of a world under its org.
pub(crate) fn oracle(org: &str, world: &World) -> Oracle {
    let mut oracle = Oracle::default();
    for entry in world.events.iter().filter(|entry| is_kept(&entry.event)) {
        oracle.add(&of(org, &entry.event));
    }
    oracle
}

/// Whether an event of a world is kept: all but those whose data holds an instant beyond the bounds.
pub(crate) fn is_kept(event: &Event<'_>) -> bool {
    let instant = match &event.body {
        Body::Message(_) => return true,
        Body::Annotation(annotation) => annotation.annotated_at,
        Body::Registration(registration) => registration.registered_at,
        Body::Erasure(erasure) => erasure.erased_at,
    };
    let year = instant.day().month_number() / 12;
    (2000..2100).contains(&year)
}

/// The event, as one of that org.
pub(crate) fn of(org: &str, event: &Event<'static>) -> Event<'static> {
    Event {
        org: Cow::Owned(org.to_owned()),
        ..event.clone()
    }
}
