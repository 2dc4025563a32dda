CREATE TABLE IF NOT EXISTS conversations
(
    org LowCardinality(String) COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    first SimpleAggregateFunction(min, Tuple(DateTime64(3, 'UTC'), UInt128)) COMMENT '(time, message_id) of the earliest message',
    first_user SimpleAggregateFunction(min, Tuple(DateTime64(3, 'UTC'), UInt128)) COMMENT 'of the earliest user message; the year 2299: none',
    last_model SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt128)) COMMENT 'of the latest assistant message that names a model; the year 1900: none',
    mentors SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'the mentors of all its messages; empty: none',
    counted SimpleAggregateFunction(groupUniqArrayArray, Array(UInt128)) COMMENT 'message_ids of users and assistants'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, conversation_id)
COMMENT 'rollup: what a conversation consists of, without its texts'
