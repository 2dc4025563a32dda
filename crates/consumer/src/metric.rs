//! The names of everything that is measured, on the `metrics` facade.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counter: settled records, by `outcome` (`kept`, `skipped`, `rejected`) and, of rejected ones, by `reason`.
pub const RECORDS: &str = "rollcall_records_total";
/// Counter: offsets that were never seen, because the log no longer held them when their turn came. Markers of
/// transactions and compaction leave such gaps too.
pub const RECORDS_LOST: &str = "rollcall_records_lost_total";
/// Counter: settled batches.
pub const BATCHES: &str = "rollcall_batches_total";
/// Histogram: from a batch's closing to its receipt, retries included, in seconds.
pub const DELIVERY_DURATION: &str = "rollcall_delivery_duration_seconds";
/// Histogram: one attempt to write a batch to the sink, in seconds.
pub const INSERT_DURATION: &str = "rollcall_insert_duration_seconds";
/// Counter: attempts that failed and are made again, by `what` (`insert`, `dead_letter`, `commit`).
pub const RETRIES: &str = "rollcall_retries_total";
/// Gauge: bytes of rows and dead letters in batches that are being written.
pub const IN_FLIGHT: &str = "rollcall_in_flight_bytes";
/// Gauge: records between the settled frontier of a `partition` and its end.
pub const LAG: &str = "rollcall_lag_records";
/// Counter: changes of the assignment, by `kind` (`assigned`, `revoked`, `lost`).
pub const REBALANCES: &str = "rollcall_rebalances_total";
/// Gauge: 1 while partitions are paused because batches cannot be written fast enough.
pub const PAUSED: &str = "rollcall_paused";
/// Gauge: 1 while ingestion cannot begin, by `what` is not there yet (`clickhouse`, `kafka`).
pub const WAITING: &str = "rollcall_waiting";
/// Counter: errors that librdkafka reports and recovers from by itself, by `code`.
pub const KAFKA_ERRORS: &str = "rollcall_kafka_errors_total";

/// Describes each name to the installed recorder.
pub(crate) fn describe() {
    describe_counter!(RECORDS, Unit::Count, "settled records, by outcome and reason");
    describe_counter!(
        RECORDS_LOST,
        Unit::Count,
        "offsets that were never seen: the log no longer held them"
    );
    describe_counter!(BATCHES, Unit::Count, "settled batches");
    describe_histogram!(
        DELIVERY_DURATION,
        Unit::Seconds,
        "from a batch's closing to its receipt"
    );
    describe_histogram!(
        INSERT_DURATION,
        Unit::Seconds,
        "one attempt to write a batch to the sink"
    );
    describe_counter!(RETRIES, Unit::Count, "attempts that failed and are made again");
    describe_gauge!(IN_FLIGHT, Unit::Bytes, "bytes in batches that are being written");
    describe_gauge!(
        LAG,
        Unit::Count,
        "records between the settled frontier and the end, by partition"
    );
    describe_counter!(REBALANCES, Unit::Count, "changes of the assignment, by kind");
    describe_gauge!(PAUSED, Unit::Count, "1 while partitions are paused");
    describe_gauge!(
        WAITING,
        Unit::Count,
        "1 while ingestion cannot begin, by what is not there yet"
    );
    describe_counter!(
        KAFKA_ERRORS,
        Unit::Count,
        "errors that librdkafka recovers from by itself, by code"
    );
}
