CREATE MATERIALIZED VIEW IF NOT EXISTS conversations_from_messages TO conversations AS
SELECT
    org,
    conversation_id,
    min((time, message_id)) AS first,
    min(if(role = 'user', (time, message_id), (toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC'), toUInt128(0)))) AS first_user,
    max(if(role = 'assistant' AND model != '', (time, message_id), (toDateTime64('1900-01-01 00:00:00.000', 3, 'UTC'), toUInt128(0)))) AS last_model,
    groupUniqArray(mentor_id) AS mentors,
    groupUniqArrayIf(message_id, role IN ('user', 'assistant')) AS counted
FROM messages
GROUP BY org, conversation_id
