-- Conversations in which nobody else had spoken, and to which something came again.
INSERT INTO ${requests} (id, org, of, user, rollup_user, conversation_id, until)
SELECT max(asked.id), erased.org, 'alone', 0, 0, erased.conversation_id, max(erased.erased_at)
FROM ${db}.erased_conversations AS erased
INNER JOIN
(
    SELECT org, conversation_id, max(id) AS id
    FROM ${requests}
    WHERE of = 'conversation' AND user = 0
    GROUP BY org, conversation_id
) AS asked ON asked.org = erased.org AND asked.conversation_id = erased.conversation_id
WHERE erased.user = 0
GROUP BY erased.org, erased.conversation_id
