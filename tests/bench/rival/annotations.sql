CREATE MATERIALIZED VIEW into_annotations TO annotations AS
WITH
    toUUIDOrZero(data.conversation_id) AS conversation,
    parseDateTime64BestEffortOrNull(data.annotated_at, 3, 'UTC') AS instant
SELECT
    org,
    toUInt128(conversation) AS conversation_id,
    toUnixTimestamp64Milli(assumeNotNull(instant)) AS annotated_at,
    id AS event_id,
    data.user_sentiment AS user_sentiment,
    data.topics.name AS topics,
    arrayMap(topic -> lowerUTF8(trimBoth(topic)), topics) AS topic_keys
FROM parsed
WHERE endsWith(type, 'chat.conversation.annotated.v1')
    AND conversation != toUUID('00000000-0000-0000-0000-000000000000')
    AND data.user_sentiment IN ('positive', 'negative', 'neutral')
    AND instant IS NOT NULL
