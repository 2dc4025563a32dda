CREATE MATERIALIZED VIEW IF NOT EXISTS active_hourly_from_incoming TO active_hourly AS
SELECT
    org,
    mentor_id,
    period,
    reinterpretAsUInt128(sipHash128(user_id)) AS user
FROM incoming_activity
