CREATE TABLE IF NOT EXISTS erasure_requests
(
    id UInt64 COMMENT 'a random number, of what is found that of its request',
    org LowCardinality(String) COMMENT 'organisation',
    of LowCardinality(String) COMMENT 'asked for: user, conversation, registrations; found: spoke, registered, alone, left; running: a process that erases',
    user UInt128 COMMENT 'as in erasures; 0: none',
    rollup_user UInt128 COMMENT 'of what was found, sipHash128 of the user_id; 0: none',
    conversation_id UInt128 COMMENT 'the UUID as a number; 0: none',
    until Int64 COMMENT 'of what was found, up to when it goes; of a process, when it was seen; in milliseconds since 1970'
)
ENGINE = MergeTree
ORDER BY (of, org, conversation_id, user)
COMMENT 'what is still to be erased; empty once it is'
