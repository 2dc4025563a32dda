//! The protocols of consumer groups, where they differ for us, and what a member starts from.

use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Statistics};

use crate::error::{Error, Right};
use crate::kafka::client;
use crate::kafka::rights;
use crate::settings::{GroupProtocol, HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, Settings};

/// A member whose heartbeats are on their way is told of another epoch of the group within this time,
const EPOCH_DELAY: Duration = Duration::from_millis(50);
/// or after a few times as long.
const EPOCH_RETRIES: u32 = 10;
/// For how long commits are refused before the member is replaced.
pub(crate) const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the coordinator is connected, in milliseconds, before a member that has sent no heartbeat never will.
const HEARTBEAT_TIMEOUT: i64 = 3_000;

/// What a member starts from.
pub(crate) fn member_config(settings: &Settings) -> ClientConfig {
    let budget = settings.budget();
    let mut config = client::consumer_config(settings);
    configure(&mut config, settings.group_protocol);
    config
        // The loop polls at least once a second. A rebalance waits this long at most for members that do not join.
        .set("max.poll.interval.ms", "30000")
        // A trickle is handed on as it comes; a full queue is looked at again soon, not after a second.
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.min.messages", budget.prefetched_records.to_string())
        .set(
            "queued.max.messages.kbytes",
            (budget.prefetched >> 10).to_string(),
        )
        .set("statistics.interval.ms", "2000");
    config
}

/// Sets what differs between the protocols: with the new one, the brokers know the rest.
fn configure(config: &mut ClientConfig, protocol: GroupProtocol) {
    match protocol {
        GroupProtocol::Classic => config
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_TIMEOUT_MS.to_string())
            .set("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS.to_string()),
        GroupProtocol::Consumer => config
            .remove("session.timeout.ms")
            .set("group.protocol", "consumer"),
    };
}

/// Commits, again where the group has moved on to an epoch that the member is yet to learn of: librdkafka then heartbeats at
/// once, but repeats no commit of an application.
pub(crate) fn in_epoch(commit: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let mut outcome = commit();
    for _ in 0..EPOCH_RETRIES {
        let code = outcome.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        if code != Some(RDKafkaErrorCode::StaleMemberEpoch) {
            break;
        }
        thread::sleep(EPOCH_DELAY);
        outcome = commit();
    }
    outcome
}

/// Whether a commit was refused because the group does not know the member, or not its epoch. A member of the new protocol
/// joins again at its next heartbeat, unless the group has gone back to the classic one: it then heartbeats in vain for good.
pub(crate) fn is_member_unknown(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{FencedMemberEpoch, GroupIdNotFound, StaleMemberEpoch, UnknownMemberId};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            UnknownMemberId | FencedMemberEpoch | StaleMemberEpoch | GroupIdNotFound
        )
    })
}

/// Whether the coordinator does not know the new protocol: librdkafka then sends no heartbeat, and does not say so. Its
/// statistics count heartbeats among all requests, and do not list them.
pub(crate) fn is_unsupported(statistics: &Statistics) -> bool {
    let group = statistics.cgrp.as_ref();
    let coordinator = statistics.brokers.get("GroupCoordinator");
    group.is_some_and(|group| group.state == "up" && group.stateage > HEARTBEAT_TIMEOUT)
        && coordinator.is_some_and(|broker| {
            let others = broker
                .req
                .iter()
                .filter(|(name, _)| *name != "ConsumerGroupHeartbeat");
            let others: i64 = others.map(|(_, count)| count).sum();
            i64::try_from(broker.tx).is_ok_and(|all| all <= others)
        })
}

/// That the brokers do not know the protocol.
pub(crate) fn unsupported() -> Error {
    Error::Setting {
        setting: "kafka.group_protocol".to_owned(),
        problem: "may not be \"consumer\": these brokers do not support it, as Kafka does from 4.0 on"
            .to_owned(),
    }
}

/// What a fatal error of the client means.
pub(crate) fn refusal(settings: &Settings, code: RDKafkaErrorCode) -> Error {
    use RDKafkaErrorCode::{GroupMaxSizeReached, InvalidRequest, UnreleasedInstanceId, UnsupportedVersion};
    let error = KafkaError::MessageConsumptionFatal(code);
    if let Some(denial) = rights::denial(settings, &error, Right::ReadTopic, &settings.topic) {
        rights::note(&denial);
        return Error::Denied(denial);
    }
    match code {
        UnsupportedVersion => unsupported(),
        // The first is the answer where a client was not polled for long: it has left the group, and heartbeats on.
        InvalidRequest | UnreleasedInstanceId | GroupMaxSizeReached => Error::MemberRefused(error),
        _ => Error::Consumer(error),
    }
}
