CREATE TABLE IF NOT EXISTS entered_registrations
(
    org LowCardinality(String) COMMENT 'organisation',
    user UInt128 COMMENT 'sipHash128 of the user_id',
    registered_at SimpleAggregateFunction(min, Int64) COMMENT 'the earliest, in milliseconds since 1970'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, user)
SETTINGS merge_selector_base = 10
COMMENT 'registrations of which it was entered since when they change the past; those that come again are passed over'
