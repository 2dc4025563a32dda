CREATE TABLE IF NOT EXISTS incoming_activity
(
    org String COMMENT 'organisation',
    mentor_id String COMMENT 'empty: any or none',
    period DateTime('UTC') COMMENT 'first instant of the hour',
    user_id String
)
ENGINE = Null
COMMENT 'what a batch adds to active_hourly: each row once'
