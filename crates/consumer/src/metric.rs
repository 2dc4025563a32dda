//! The names of everything that is measured, on the `metrics` facade.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// For each metric a constant with its name, and its description for the recorder.
macro_rules! metrics {
    ($($constant:ident = $name:literal, $describe:ident($unit:ident): $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $constant: &str = $name;
        )*

        /// Describes each metric to the installed recorder.
        pub(crate) fn describe() {
            $($describe!($constant, Unit::$unit, $text);)*
        }
    };
}

metrics! {
    RECORDS = "rollcall_records_total", describe_counter(Count):
        "settled records, by outcome (kept, skipped, rejected) and, of rejected ones, by reason";
    SKIPPED = "rollcall_skipped_records_total", describe_counter(Count):
        "settled records that were skipped, by type: the first 20 names, and other";
    RECORDS_LOST = "rollcall_records_lost_total", describe_counter(Count):
        "records that retention deleted before they were read";
    LOGS_REPLACED = "rollcall_logs_replaced_total", describe_counter(Count):
        "partitions that were read again because their logs were truncated or made again";
    RECORDS_UNREADABLE = "rollcall_records_unreadable_total", describe_counter(Count):
        "offsets of batches that cannot be unpacked or parsed, which were passed over";
    BATCHES = "rollcall_batches_total", describe_counter(Count):
        "settled batches";
    DELIVERY_DURATION = "rollcall_delivery_duration_seconds", describe_histogram(Seconds):
        "from a batch's closing to its receipt, retries included";
    INSERT_DURATION = "rollcall_insert_duration_seconds", describe_histogram(Seconds):
        "one attempt to write a batch to the sink";
    RETRIES = "rollcall_retries_total", describe_counter(Count):
        "attempts that failed and are made again, by what (insert, dead_letter, commit)";
    IN_FLIGHT = "rollcall_in_flight_bytes", describe_gauge(Bytes):
        "rows and dead letters in batches that are being written";
    LAG = "rollcall_lag_records", describe_gauge(Count):
        "records between the settled frontier and the last stable offset, by partition";
    UNSTABLE = "rollcall_unstable_records", describe_gauge(Count):
        "records that wait for the end of an open transaction before any of them is read, by partition";
    UNSETTLED_AGE = "rollcall_oldest_unsettled_record_age_seconds", describe_gauge(Seconds):
        "how long ago the oldest record was published that is read and not settled; 0 without one";
    REBALANCES = "rollcall_rebalances_total", describe_counter(Count):
        "changes of the assignment, by kind (assigned, revoked, lost)";
    PAUSED = "rollcall_paused", describe_gauge(Count):
        "1 while partitions are paused because batches cannot be written fast enough";
    WAITING = "rollcall_waiting", describe_gauge(Count):
        "1 while ingestion cannot begin or go on, by what it waits for (clickhouse, kafka)";
    KAFKA_ERRORS = "rollcall_kafka_errors_total", describe_counter(Count):
        "errors that librdkafka reports and recovers from by itself, by code";
}
