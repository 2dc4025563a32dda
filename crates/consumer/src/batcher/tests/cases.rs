//! What a batch waits for, case by case, and every schedule there is.

use super::*;

#[test]
fn a_lone_record_after_a_pause_does_not_wait_for_others() {
    let mut world = World::assigned();
    world.step(&ONE);
    world.pass(LIMITS.delay);
    assert_eq!(world.under_way.len(), 1, "the first goes when it is old enough");
    world.step(&ONE);
    world.pass(LIMITS.delay);
    assert_eq!(world.under_way.len(), 1, "the next is one of a trickle");
    world.pass(LIMITS.delay * PATIENCE);
    assert_eq!(world.under_way.len(), 2);
}

#[test]
fn a_batch_grows_while_records_keep_coming() {
    let mut world = World::assigned();
    // Something is there to be read at every moment.
    for _ in 0..120 {
        world.now += LIMITS.delay / 20;
        world.step(&ONE);
    }
    assert_eq!(world.under_way.len(), 0, "it is six delays old");
    world.pass(LIMITS.delay / 20);
    assert_eq!(world.under_way.len(), 1, "nothing more came");
}

#[test]
fn a_batch_that_grows_is_ten_delays_old_at_most() {
    let mut world = World::assigned();
    for _ in 0..140 {
        world.step(&ONE);
        world.now += LIMITS.delay / 10;
    }
    assert_eq!(world.under_way.len(), 1);
    assert_eq!(world.under_way[0].tally.records(), 101);
}

#[test]
fn a_batch_waits_for_the_one_before_it_ten_delays_at_most() {
    let many = Step::Come {
        partition: 0,
        records: 120,
        bytes: 1,
    };
    let mut world = World::assigned();
    world.step(&many);
    world.pass(LIMITS.delay);
    assert_eq!(world.under_way.len(), 1, "the first has none before it");
    world.step(&many);
    world.pass(LIMITS.delay * 5);
    assert_eq!(world.under_way.len(), 1, "the first is being written");
    world.step(&Step::Arrive { batch: 0 });
    assert_eq!(world.under_way.len(), 1, "the second went as the first arrived");
    world.step(&many);
    world.pass(LIMITS.delay * PATIENCE);
    assert_eq!(world.under_way.len(), 2, "the third does not wait for ever");
}

#[test]
fn no_batch_is_closed_while_there_is_no_room() {
    let mut world = World::assigned();
    for _ in 0..4 {
        world.step(&Step::Come {
            partition: 0,
            records: 150,
            bytes: 1,
        });
    }
    world.pass(Duration::from_secs(3_600));
    assert_eq!(world.under_way.len(), 2);
    assert!(world.batcher.is_full());
    world.step(&Step::Arrive { batch: 1 });
    assert_eq!(world.under_way.len(), 2, "the one that waited is on its way");
    assert!(world.batcher.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn batches_keep_their_limits_and_lose_nothing(steps in vec(step(), 1..100)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            let due = world.batcher.due();
            prop_assert!(due.is_none_or(|due| due > world.now), "a batch that is due is still open");
        }
        world.drain();
        let owed: Vec<_> = world.owed.iter().filter(|(_, owed)| **owed != 0).collect();
        prop_assert!(owed.is_empty(), "read and never written, or written and not read: {owed:?}");
        for (partition, position) in &world.positions {
            let committed = world.committed.get(partition).copied().unwrap_or(0);
            prop_assert_eq!(committed, *position, "partition {}", partition);
        }
    }
}
