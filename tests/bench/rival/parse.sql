CREATE MATERIALIZED VIEW parse TO parsed AS
WITH
    JSONExtract(raw, 'Tuple(specversion String, id String, source String, type String, time String, org String, data Tuple(message_id String, conversation_id String, role String, user_id String, mentor_id String, content String, model String, topics Array(Tuple(name String)), user_sentiment String, annotated_at String, registered_at String))') AS event,
    parseDateTime64BestEffortOrNull(event.time, 3, 'UTC') AS instant
SELECT
    event.type AS type,
    event.id AS id,
    assumeNotNull(instant) AS time,
    event.org AS org,
    event.data AS data
FROM queue
WHERE event.specversion = '1.0'
    AND event.id != ''
    AND event.source != ''
    AND event.type != ''
    AND match(event.org, '^[A-Za-z0-9._-]{1,64}$')
    AND instant >= toDateTime64('2000-01-01 00:00:00', 3, 'UTC')
    AND instant <= now() + INTERVAL 5 MINUTE
