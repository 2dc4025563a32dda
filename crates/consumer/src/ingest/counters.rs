//! The counters of ingestion, before anything is counted.

use metrics::{counter, gauge};

use crate::{ingest::record::Reason, metric};

/// Describes each metric to the installed recorder, and registers counters and gauges at 0: an increase from nothing would be
/// missed.
/// To be called before [`run`](crate::run), and before anybody is told that it will.
/// Of [`KAFKA_ERRORS`](metric::KAFKA_ERRORS) only the codes that outages and alerts have.
pub fn register_metrics() {
    metric::describe();
    counter!(metric::RECORDS_LOST).increment(0);
    counter!(metric::LOGS_REPLACED).increment(0);
    counter!(metric::RECORDS_UNREADABLE).increment(0);
    counter!(metric::BATCHES).increment(0);
    for outcome in ["kept", "skipped"] {
        counter!(metric::RECORDS, "outcome" => outcome, "reason" => "").increment(0);
    }
    for reason in Reason::codes() {
        counter!(metric::RECORDS, "outcome" => "rejected", "reason" => reason).increment(0);
    }
    for what in ["insert", "dead_letter", "commit"] {
        counter!(metric::RETRIES, "what" => what).increment(0);
    }
    for kind in ["assigned", "revoked", "lost"] {
        counter!(metric::REBALANCES, "kind" => kind).increment(0);
    }
    for code in [
        "AllBrokersDown",
        "BadCompression",
        "BrokerTransportFailure",
        "ClusterAuthorizationFailed",
        "Fatal",
        "GroupAuthorizationFailed",
        "TopicAuthorizationFailed",
        "UnknownTopicOrPartition",
    ] {
        counter!(metric::KAFKA_ERRORS, "code" => code).increment(0);
    }
    for gauge in [metric::IN_FLIGHT, metric::PAUSED, metric::UNSETTLED_AGE] {
        gauge!(gauge).set(0.0);
    }
    for what in ["clickhouse", "kafka"] {
        gauge!(metric::WAITING, "what" => what).set(0.0);
    }
}
