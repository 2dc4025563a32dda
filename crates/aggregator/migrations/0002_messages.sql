CREATE TABLE IF NOT EXISTS messages
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number: ClickHouse orders UUIDs by their second half first',
    time DateTime64(3, 'UTC') COMMENT 'CloudEvents time',
    message_id UInt128 COMMENT 'the UUID as a number',
    role Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4),
    user_id String COMMENT 'empty: anonymous',
    mentor_id String COMMENT 'empty: none',
    content String CODEC(ZSTD(1)),
    model LowCardinality(String) COMMENT 'empty: none named',
    digest UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(role, user_id, mentor_id, content, model)) COMMENT 'tells records of one message_id apart'
)
ENGINE = ReplacingMergeTree
PRIMARY KEY (org, conversation_id, time, message_id)
ORDER BY (org, conversation_id, time, message_id, digest)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, merge_selector_base = 10
COMMENT 'fact: every distinct record of a message; read by key alone'
