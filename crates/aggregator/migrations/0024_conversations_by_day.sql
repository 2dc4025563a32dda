CREATE TABLE IF NOT EXISTS conversations_by_day
(
    org LowCardinality(String) COMMENT 'organisation',
    mentor_id LowCardinality(String) COMMENT 'empty: any or none',
    day Date,
    conversation_id UInt128 COMMENT 'the UUID as a number',
    first_at SimpleAggregateFunction(min, Int64) COMMENT 'its earliest message of the day with the mentor, in milliseconds since 1970'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, mentor_id, day, conversation_id)
COMMENT 'rollup: the conversations that a day saw, with each mentor and with any'
