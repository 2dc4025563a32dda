CREATE TABLE IF NOT EXISTS erasure_targets
(
    org LowCardinality(String) COMMENT 'organisation',
    of LowCardinality(String) COMMENT 'spoke, registered or left, as in erasure_requests',
    rollup_user UInt128 COMMENT 'sipHash128 of the user_id; 0: none',
    conversation_id UInt128 COMMENT 'the UUID as a number; 0: none',
    until Int64 COMMENT 'up to when it goes, in milliseconds since 1970'
)
ENGINE = MergeTree
ORDER BY (of, org, conversation_id, rollup_user)
COMMENT 'what is being erased, whole on every node: a mutation reads it where it runs'
