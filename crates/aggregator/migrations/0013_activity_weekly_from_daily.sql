CREATE MATERIALIZED VIEW IF NOT EXISTS activity_weekly_from_daily TO activity_weekly AS
SELECT
    org,
    toDateTime(toMonday(period, 'UTC'), 'UTC') AS period,
    mentor_id,
    user
FROM activity_daily AS daily
GROUP BY org, period, mentor_id, user
