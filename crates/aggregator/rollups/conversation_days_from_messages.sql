CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_days_from_messages TO conversation_days AS
SELECT
    org,
    toDate(time, 'UTC') AS day,
    conversation_id,
    min(bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(time)), 128), toUInt256(message_id))) AS first
FROM messages
GROUP BY org, day, conversation_id
