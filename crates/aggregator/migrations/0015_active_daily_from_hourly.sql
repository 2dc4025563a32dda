CREATE MATERIALIZED VIEW IF NOT EXISTS active_daily_from_hourly TO active_daily AS
SELECT
    org,
    mentor_id,
    toStartOfDay(period, 'UTC') AS period,
    user
FROM active_hourly AS hourly
GROUP BY org, mentor_id, period, user
