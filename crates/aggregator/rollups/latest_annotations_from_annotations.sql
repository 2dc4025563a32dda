CREATE MATERIALIZED VIEW IF NOT EXISTS latest_annotations_from_annotations TO latest_annotations AS
SELECT
    org,
    conversation_id,
    max((annotated_at, event_id, toString(user_sentiment), topics, topic_keys)) AS latest
FROM annotations
GROUP BY org, conversation_id
