CREATE MATERIALIZED VIEW IF NOT EXISTS active_hourly_from_messages TO active_hourly AS
SELECT
    org,
    mentor AS mentor_id,
    toStartOfHour(time, 'UTC') AS period,
    reinterpretAsUInt128(sipHash128(user_id)) AS user
FROM messages
ARRAY JOIN arrayDistinct(['', messages.mentor_id]) AS mentor
WHERE role = 'user' AND user_id != ''
GROUP BY org, mentor_id, period, user
