CREATE TABLE IF NOT EXISTS active_hourly
(
    org LowCardinality(String) COMMENT 'organisation',
    mentor_id LowCardinality(String) COMMENT 'empty: any or none',
    period DateTime('UTC') COMMENT 'first instant of the hour',
    user UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, mentor_id, period, user)
SETTINGS merge_selector_base = 10
COMMENT 'rollup: who was active in an hour, with each mentor and with any'
