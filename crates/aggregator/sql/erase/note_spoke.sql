-- Who is forgotten and spoke in which conversation, also where what they said was kept out: it may be that nobody else did, or
-- that the others are forgotten later.
INSERT INTO ${erased_conversations} (org, conversation_id, user, erased_at)
SELECT org, conversation_id, user, max(until)
FROM ${requests}
WHERE of = 'spoke'
GROUP BY org, conversation_id, user
UNION ALL
SELECT org, conversation_id, user, max(erased_at)
FROM ${requests}
INNER JOIN ${erasures} USING (org, user)
WHERE of = 'conversation'
GROUP BY org, conversation_id, user
