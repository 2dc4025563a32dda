CREATE TABLE IF NOT EXISTS conversation_days
(
    org LowCardinality(String) COMMENT 'organisation',
    day Date,
    conversation_id UInt128 COMMENT 'the UUID as a number',
    first SimpleAggregateFunction(min, UInt256) COMMENT 'its earliest message of the day: time in milliseconds * 2^128 + message_id'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, day, conversation_id)
COMMENT 'rollup: the conversations that a day saw'
