CREATE TABLE IF NOT EXISTS users
(
    org LowCardinality(String) COMMENT 'organisation',
    user UInt128 COMMENT 'sipHash128 of the user_id',
    registered_at SimpleAggregateFunction(min, Int64) COMMENT 'earliest registration in milliseconds since 1970; the greatest Int64: none',
    first_message_at SimpleAggregateFunction(min, Int64) COMMENT 'earliest user message likewise'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, user)
SETTINGS merge_selector_base = 10
COMMENT 'rollup: since when a user is known'
