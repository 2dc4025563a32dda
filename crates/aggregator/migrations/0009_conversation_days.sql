CREATE TABLE IF NOT EXISTS conversation_days
(
    org LowCardinality(String) COMMENT 'organisation',
    day Date,
    conversation_id UInt128 COMMENT 'the UUID as a number'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, day, conversation_id)
COMMENT 'rollup: the conversations that a day saw; those that began in a range are among them'
