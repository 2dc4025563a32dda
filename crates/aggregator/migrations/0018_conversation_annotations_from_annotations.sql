CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_annotations_from_annotations TO conversation_annotations AS
SELECT
    org,
    conversation_id,
    max((annotated_at, event_id, toString(user_sentiment), topics, topic_keys)) AS latest
FROM annotations
GROUP BY org, conversation_id
