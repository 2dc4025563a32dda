CREATE MATERIALIZED VIEW IF NOT EXISTS activity_daily_from_hourly TO activity_daily AS
SELECT
    org,
    toStartOfDay(period, 'UTC') AS period,
    mentor_id,
    user
FROM activity_hourly AS hourly
GROUP BY org, period, mentor_id, user
