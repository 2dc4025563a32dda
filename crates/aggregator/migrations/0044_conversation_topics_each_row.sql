ALTER TABLE conversation_topics_from_annotations MODIFY QUERY
SELECT
    org,
    caseFoldUTF8(topic) AS topic,
    conversation_id
FROM annotations
ARRAY JOIN annotations.topic_keys AS topic
