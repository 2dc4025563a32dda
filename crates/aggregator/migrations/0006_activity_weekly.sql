CREATE TABLE IF NOT EXISTS activity_weekly
(
    org LowCardinality(String) COMMENT 'organisation',
    period DateTime('UTC') COMMENT 'first instant of the week',
    mentor_id String COMMENT 'empty: none',
    user UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, period, mentor_id, user)
COMMENT 'rollup: who was active in a week, with which mentor'
