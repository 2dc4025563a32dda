INSERT INTO ${db}.erasure_targets (org, of, rollup_user, conversation_id, until)
SELECT org, of, rollup_user, conversation_id, max(until)
FROM ${requests}
WHERE of IN ('spoke', 'registered', 'left')
GROUP BY org, of, rollup_user, conversation_id
