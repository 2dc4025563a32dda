CREATE TABLE IF NOT EXISTS annotations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    annotated_at Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339, which DateTime64 cannot hold',
    event_id String COMMENT 'CloudEvents id',
    user_sentiment LowCardinality(String),
    topics Array(String) COMMENT 'names, in the order of the event',
    topic_keys Array(String) COMMENT 'names trimmed and lowercased: what the topics filter compares'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, conversation_id, annotated_at, event_id, user_sentiment, topics)
SETTINGS merge_selector_base = 10
COMMENT 'fact: every distinct annotation'
