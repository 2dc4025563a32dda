CREATE TABLE IF NOT EXISTS incoming_users
(
    org String COMMENT 'organisation',
    user_id String,
    first_message_at Int64 COMMENT 'earliest user message in milliseconds since 1970'
)
ENGINE = Null
COMMENT 'what the messages of a batch add to users: each user once'
