-- What names nobody in the conversations in which nobody else spoke.
INSERT INTO ${requests} (id, org, of, user, rollup_user, conversation_id, until)
SELECT alone.id, alone.org, 'left', 0, 0, alone.conversation_id, alone.until
FROM
(
    SELECT org, conversation_id, max(id) AS id, max(until) AS until
    FROM ${requests}
    WHERE of = 'alone'
    GROUP BY org, conversation_id
) AS alone
INNER JOIN
(
    SELECT org, conversation_id, min(at) AS first
    FROM
    (
        SELECT org, conversation_id, toUnixTimestamp64Milli(time) AS at
        FROM ${db}.messages
        WHERE user_id = '' AND (org, conversation_id) IN (SELECT org, conversation_id FROM ${requests} WHERE of = 'alone')
        UNION ALL
        SELECT org, conversation_id, annotated_at
        FROM ${db}.annotations
        WHERE (org, conversation_id) IN (SELECT org, conversation_id FROM ${requests} WHERE of = 'alone')
    )
    GROUP BY org, conversation_id
) AS said ON said.org = alone.org AND said.conversation_id = alone.conversation_id
WHERE said.first <= alone.until
