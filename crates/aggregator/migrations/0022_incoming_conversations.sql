CREATE TABLE IF NOT EXISTS incoming_conversations
(
    org String COMMENT 'organisation',
    conversation_id UInt128 COMMENT 'the UUID as a number',
    place UInt256 COMMENT 'of the earliest message: time in milliseconds * 2^128 + message_id',
    least_mentor String COMMENT 'the least mentor_id of its records',
    greatest_mentor String COMMENT 'the greatest'
)
ENGINE = Null
COMMENT 'what a batch adds to conversation_beginnings: each conversation once'
