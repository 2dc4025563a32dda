CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_topics_from_annotations TO conversation_topics AS
SELECT
    org,
    caseFoldUTF8(topic) AS topic,
    conversation_id
FROM annotations
ARRAY JOIN annotations.topic_keys AS topic
