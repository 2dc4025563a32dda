CREATE MATERIALIZED VIEW IF NOT EXISTS activity_hourly_from_messages TO activity_hourly AS
SELECT
    org,
    toStartOfHour(time, 'UTC') AS period,
    mentor_id,
    reinterpretAsUInt128(sipHash128(user_id)) AS user
FROM messages
WHERE role = 'user' AND user_id != ''
GROUP BY org, period, mentor_id, user
