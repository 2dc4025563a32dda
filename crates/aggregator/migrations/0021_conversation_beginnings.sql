CREATE TABLE IF NOT EXISTS conversation_beginnings
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    least SimpleAggregateFunction(min, Tuple(place UInt256, mentor_id String))
        COMMENT 'of the earliest message: time in milliseconds * 2^128 + message_id, and the least mentor_id of its records',
    greatest SimpleAggregateFunction(max, Tuple(negated_place UInt256, mentor_id String))
        COMMENT 'the same with each bit of the place inverted, and the greatest mentor_id'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096
COMMENT 'rollup: when each conversation began, and with which mentor; read by key'
