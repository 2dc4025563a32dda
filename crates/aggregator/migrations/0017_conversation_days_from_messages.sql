CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_days_from_messages TO conversation_days AS
SELECT
    org,
    toDate(time, 'UTC') AS day,
    conversation_id
FROM messages
GROUP BY org, day, conversation_id
