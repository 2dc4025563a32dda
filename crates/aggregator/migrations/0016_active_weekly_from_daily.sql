CREATE MATERIALIZED VIEW IF NOT EXISTS active_weekly_from_daily TO active_weekly AS
SELECT
    org,
    mentor_id,
    toDateTime(toMonday(period, 'UTC'), 'UTC') AS period,
    user
FROM active_daily AS daily
GROUP BY org, mentor_id, period, user
