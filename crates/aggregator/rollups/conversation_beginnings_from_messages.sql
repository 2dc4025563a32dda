CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_beginnings_from_messages TO conversation_beginnings AS
WITH bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(time)), 128), toUInt256(message_id)) AS place
SELECT
    org,
    conversation_id,
    min((place, mentor_id)) AS least,
    max((bitNot(place), mentor_id)) AS greatest
FROM messages
GROUP BY org, conversation_id
