CREATE TABLE IF NOT EXISTS observed_conversations
(
    org LowCardinality(String) COMMENT 'organisation',
    by LowCardinality(String) COMMENT 'mentor or topic',
    value String COMMENT 'its mentor_id, or the name trimmed and case-folded; empty: any or none',
    hours UInt8 COMMENT 'how long the period is',
    period DateTime('UTC') COMMENT 'its first instant',
    conversations UInt64 COMMENT 'how many began in it',
    seen UInt64 COMMENT 'a hash of the changes before its end that were entered by then'
)
ENGINE = ReplacingMergeTree
-- The hours of a day take the place of those of the day before.
ORDER BY (org, by, value, hours, if(hours = 24, toUInt32(period), toHour(period)))
COMMENT 'counts of periods that have ended, as they were observed; they hold while nothing is entered that may change them'
