CREATE TABLE IF NOT EXISTS conversations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    first SimpleAggregateFunction(min, UInt256) COMMENT 'the earliest message: time in milliseconds * 2^128 + message_id',
    first_day SimpleAggregateFunction(min, UInt16)
        MATERIALIZED toUInt16(intDiv(bitShiftRight(first, 128), 86400000))
        COMMENT 'the day of the earliest message, in days since 1970: narrow, for totals',
    least_mentor SimpleAggregateFunction(min, LowCardinality(String)) COMMENT 'the least mentor_id of all its messages',
    greatest_mentor SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'the greatest; where the two agree it has no other'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id)
COMMENT 'rollup: what a conversation consists of, without its texts'
