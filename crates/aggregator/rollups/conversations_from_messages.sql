CREATE MATERIALIZED VIEW IF NOT EXISTS conversations_from_messages TO conversations AS
WITH bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(time)), 128), toUInt256(message_id)) AS place
SELECT
    org,
    conversation_id,
    min(place) AS first,
    min(mentor_id) AS least_mentor,
    max(mentor_id) AS greatest_mentor
FROM messages
GROUP BY org, conversation_id
