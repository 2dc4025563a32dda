CREATE MATERIALIZED VIEW into_messages TO messages AS
WITH
    toUUIDOrZero(data.message_id) AS message,
    toUUIDOrZero(data.conversation_id) AS conversation
SELECT
    org,
    toUInt128(conversation) AS conversation_id,
    time,
    toUInt128(message) AS message_id,
    data.role AS role,
    data.user_id AS user_id,
    data.mentor_id AS mentor_id,
    data.content AS content,
    data.model AS model
FROM parsed
WHERE endsWith(type, 'chat.message.created.v1')
    AND message != toUUID('00000000-0000-0000-0000-000000000000')
    AND conversation != toUUID('00000000-0000-0000-0000-000000000000')
    AND data.role IN ('user', 'assistant', 'system', 'tool')
