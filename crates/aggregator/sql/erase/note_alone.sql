-- From now on ingestion keeps out what names nobody there.
INSERT INTO ${erased_conversations} (org, conversation_id, user, erased_at)
SELECT org, conversation_id, 0, max(until)
FROM ${requests}
WHERE of = 'alone'
GROUP BY org, conversation_id
