CREATE TABLE IF NOT EXISTS observed_beginnings
(
    org LowCardinality(String) COMMENT 'organisation',
    by LowCardinality(String) COMMENT 'mentor or topic',
    value String COMMENT 'its mentor_id, or the name trimmed and case-folded; empty: any or none',
    seconds UInt32 COMMENT 'how long the period is',
    period DateTime('UTC') COMMENT 'its first instant',
    conversations UInt64 COMMENT 'how many began in it',
    seen UInt64 COMMENT 'a hash of the changes before its end that were entered by then'
)
ENGINE = ReplacingMergeTree
-- What is shorter than a day takes the place of the same of the day before.
ORDER BY (org, by, value, seconds, if(seconds = 86400, toUInt32(period), toUInt32(period) % 86400))
SETTINGS index_granularity = 256
COMMENT 'counts of periods that have ended, as they were observed; they hold while nothing is entered that may change them'
