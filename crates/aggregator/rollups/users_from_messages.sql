CREATE MATERIALIZED VIEW IF NOT EXISTS users_from_messages TO users AS
SELECT
    org,
    reinterpretAsUInt128(sipHash128(user_id)) AS user,
    9223372036854775807 AS registered_at,
    toUnixTimestamp64Milli(min(time)) AS first_message_at
FROM messages
WHERE role = 'user' AND user_id != ''
GROUP BY org, user
