CREATE TABLE IF NOT EXISTS latest_annotations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    latest SimpleAggregateFunction(max, Tuple(annotated_at Int64, event_id String, user_sentiment String, topics Array(String), topic_keys Array(String))) COMMENT 'the latest annotation; ties go to the greater event_id'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096
COMMENT 'rollup: the annotation that holds'
