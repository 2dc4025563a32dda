INSERT INTO conversation_topics
SELECT DISTINCT
    org,
    caseFoldUTF8(topic) AS topic,
    conversation_id
FROM annotations
ARRAY JOIN annotations.topic_keys AS topic
