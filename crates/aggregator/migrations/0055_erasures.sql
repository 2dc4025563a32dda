CREATE TABLE IF NOT EXISTS erasures
(
    org LowCardinality(String) COMMENT 'organisation',
    user UInt128 COMMENT 'a keyed hash of organisation and user_id',
    erased_at SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, user)
COMMENT 'fact: who is to be forgotten, and stays so'
