CREATE MATERIALIZED VIEW into_registrations TO registrations AS
WITH
    parseDateTime64BestEffortOrNull(data.registered_at, 3, 'UTC') AS instant
SELECT
    org,
    data.user_id AS user_id,
    toUnixTimestamp64Milli(assumeNotNull(instant)) AS registered_at
FROM parsed
WHERE endsWith(type, 'chat.user.registered.v1')
    AND data.user_id != ''
    AND instant IS NOT NULL
