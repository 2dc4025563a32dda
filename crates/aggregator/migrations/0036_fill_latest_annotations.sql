INSERT INTO latest_annotations
SELECT
    org,
    conversation_id,
    max((annotated_at, event_id, toString(user_sentiment), topics, topic_keys)) AS latest
FROM annotations
GROUP BY org, conversation_id
