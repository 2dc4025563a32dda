CREATE TABLE IF NOT EXISTS observed_users
(
    org LowCardinality(String) COMMENT 'organisation',
    mentor_id LowCardinality(String) COMMENT 'empty: any or none',
    grain Enum8('hour' = 1, 'day' = 2, 'week' = 3, 'month' = 4),
    period DateTime('UTC') COMMENT 'its first instant',
    until DateTime('UTC') COMMENT 'what comes from then on is not counted: its end, or an hour within it',
    users UInt64 COMMENT 'how many were active',
    by_day Array(Tuple(day UInt16, users UInt32)) COMMENT 'how many of them registered on each day since 1970',
    registered UInt64 COMMENT 'how many registered, active or not; 0 with a mentor',
    seen UInt64 COMMENT 'a hash of the changes before the end of what is counted that were entered by then'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, mentor_id, grain, period)
SETTINGS index_granularity = 256
COMMENT 'counts of users, as they were observed; they hold while nothing is entered that may change them'
