ALTER TABLE latest_annotations_from_annotations MODIFY QUERY
SELECT
    org,
    conversation_id,
    (annotated_at, event_id, toString(user_sentiment), topics, topic_keys) AS latest
FROM annotations
