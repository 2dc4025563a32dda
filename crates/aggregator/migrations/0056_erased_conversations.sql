CREATE TABLE IF NOT EXISTS erased_conversations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    user UInt128 COMMENT 'as in erasures, of one who is forgotten and spoke in it; 0: nobody else did',
    erased_at SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id, user)
COMMENT 'the conversations of those who are forgotten; where nobody else spoke, what names nobody is gone too'
