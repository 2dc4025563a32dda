CREATE MATERIALIZED VIEW IF NOT EXISTS latest_annotations_from_annotations TO latest_annotations AS
SELECT
    org,
    conversation_id,
    (annotated_at, event_id, toString(user_sentiment), topics, topic_keys) AS latest
FROM annotations
