CREATE MATERIALIZED VIEW IF NOT EXISTS conversation_beginnings_from_incoming TO conversation_beginnings AS
SELECT
    org,
    conversation_id,
    (place, least_mentor) AS least,
    (bitNot(place), greatest_mentor) AS greatest
FROM incoming_conversations
