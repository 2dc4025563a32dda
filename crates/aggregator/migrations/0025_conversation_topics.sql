CREATE TABLE IF NOT EXISTS conversation_topics
(
    org LowCardinality(String) COMMENT 'organisation',
    topic String COMMENT 'a name trimmed and case-folded',
    conversation_id UInt128 COMMENT 'the UUID as a number'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, topic, conversation_id)
COMMENT 'rollup: the conversations that any annotation gave a topic; the one that holds decides'
