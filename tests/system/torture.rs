//! Whatever fails, nothing is lost and nothing is counted twice: events are published while processes are killed, suspended
//! and started again and connections fail, and at the end every answer equals the oracle's.

#![expect(clippy::print_stdout, reason = "the report of a run is its output")]

mod fault;
mod letters;
mod load;
mod report;
mod soak;
mod stack;
mod takeover;
mod topic;
mod transactions;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consumer::GroupProtocol::{self, Classic, Consumer};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use crate::{history::questions, oracle::question::compare};
use fault::Fault;
use letters::DeadLettered;
use load::{Load, ORG};
use report::Report;
use stack::Stack;

/// A run of faults.
struct Plan {
    seed: u64,
    phases: &'static [Phase],
    /// How many events are published a second.
    rate: u32,
    /// After how long the group removes a member that is silent.
    session: Duration,
}

/// Faults under one protocol of consumer groups.
struct Phase {
    protocol: GroupProtocol,
    kinds: &'static [Fault],
    /// How often each kind happens.
    rounds: usize,
}

/// Inflicts the faults of a plan one after the other while events are published, and compares the answers.
async fn survive(plan: Plan) {
    println!("torture: seed {}", plan.seed);
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut stack = Stack::start(plan.session).await;
    let mut load = Load::start(&stack.kafka.settings(), plan.rate);
    let mut report = Report::start(&stack.kafka.settings());
    let mut dead_lettered = DeadLettered::default();
    // The first event that the log still has.
    let mut first = 0;

    for phase in plan.phases {
        stack.use_protocol(phase.protocol).await;
        for _ in 0..phase.rounds {
            let mut faults = phase.kinds.to_vec();
            faults.shuffle(&mut random);
            for fault in faults {
                let duration = Duration::from_millis(random.random_range(200..2_500));
                let published = if fault.loses_records() {
                    let published = load.stop().await;
                    report.settle().await;
                    dead_lettered += letters::compare(&stack.kafka.settings(), first..published).await;
                    first = published;
                    Some(published)
                } else {
                    None
                };
                stack.inflict(fault, duration, &mut random).await;
                if let Some(published) = published {
                    load = Load::start_at(&stack.kafka.settings(), plan.rate, published);
                }
                report.recover(fault).await;
            }
        }
    }

    let faults = report.survived();
    let published = load.stop().await;
    let settling = report.settle().await;
    let summary = report.end().await;
    dead_lettered += letters::compare(&stack.kafka.settings(), first..published).await;
    let oracle = load::oracle(published);
    compare(&stack.api, &oracle, ORG, &questions()).await.unwrap();
    let (expected, found) = stack.messages(&oracle).await;
    println!(
        "torture: {} faults survived; {published} events and {} poison records published; lost {}, duplicated in \
         rollups {}; {} dead letters of which {} repeated; the last settled after {settling:?}; longest stall {:?}\n{summary}",
        faults,
        dead_lettered.poison,
        expected.saturating_sub(found),
        found.saturating_sub(expected),
        dead_lettered.letters,
        dead_lettered.letters - dead_lettered.poison,
        summary.longest_stall,
    );
    stack.end().await;
}

/// The seed to repeat, or a new one each time.
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how a failing seed is run again")]
    let given = std::env::var("TORTURE_SEED");
    #[expect(clippy::disallowed_methods, reason = "any number will do")]
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .subsec_nanos()
    };
    given.map_or_else(|_| u64::from(now()), |seed| seed.parse().unwrap())
}

/// The kinds that have a group change its members, or lose sight of one.
const OF_GROUPS: &[Fault] = &[
    Fault::IngestKilled,
    Fault::IngestStopped,
    Fault::GroupRebalanced,
    Fault::BrokerKilled,
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_exact_after_one_fault_of_each_kind() {
    survive(Plan {
        seed: 20_240_229,
        phases: &[
            Phase {
                protocol: Classic,
                kinds: Fault::ALL,
                rounds: 1,
            },
            Phase {
                protocol: Consumer,
                kinds: OF_GROUPS,
                rounds: 1,
            },
        ],
        rate: 1_000,
        session: Duration::from_secs(3),
    })
    .await;
}

/// How often each kind happens, so that there are two hundred faults.
const ROUNDS: usize = 200usize.div_ceil(Fault::ALL.len());

async fn two_hundred(phases: &'static [Phase]) {
    survive(Plan {
        seed: seed(),
        phases,
        rate: 1_000,
        session: Duration::from_secs(10),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of an hour: run it by name, with TORTURE_SEED to repeat one"]
async fn every_answer_is_exact_after_two_hundred_faults() {
    two_hundred(&[Phase {
        protocol: Classic,
        kinds: Fault::ALL,
        rounds: ROUNDS,
    }])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes most of an hour: run it by name, with TORTURE_SEED to repeat one"]
async fn every_answer_is_exact_after_two_hundred_faults_under_the_new_protocol() {
    two_hundred(&[Phase {
        protocol: Consumer,
        kinds: Fault::ALL,
        rounds: ROUNDS,
    }])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_duplicates_after_a_rebalance() {
    survive(Plan {
        seed: 1,
        phases: &[Phase {
            protocol: Classic,
            kinds: &[Fault::GroupRebalanced],
            rounds: 3,
        }],
        rate: 1_000,
        session: Duration::from_secs(6),
    })
    .await;
}
