INSERT INTO conversations_by_day
SELECT
    org,
    mentor AS mentor_id,
    toDate(time, 'UTC') AS day,
    conversation_id,
    toUnixTimestamp64Milli(min(time)) AS first_at
FROM messages
ARRAY JOIN arrayDistinct(['', messages.mentor_id]) AS mentor
GROUP BY org, mentor_id, day, conversation_id
