CREATE TABLE IF NOT EXISTS conversations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    first SimpleAggregateFunction(min, UInt256) COMMENT 'the earliest message: time in milliseconds * 2^128 + message_id',
    first_user SimpleAggregateFunction(min, UInt256) COMMENT 'the earliest user message likewise; the greatest UInt256: none',
    last_model SimpleAggregateFunction(max, UInt256) COMMENT 'the latest assistant message that names a model likewise; 0: none',
    least_mentor SimpleAggregateFunction(min, String) COMMENT 'the least mentor_id of all its messages',
    greatest_mentor SimpleAggregateFunction(max, String) COMMENT 'the greatest; where the two agree it has no other',
    counted SimpleAggregateFunction(groupUniqArrayArray, Array(UInt128)) COMMENT 'message_ids of users and assistants'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id)
COMMENT 'rollup: what a conversation consists of, without its texts'
