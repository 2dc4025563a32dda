-- What those said who are to be forgotten, by conversation.
INSERT INTO ${requests} (id, org, of, user, rollup_user, conversation_id, until)
WITH
    (SELECT (k0, k1) FROM ${keys} ORDER BY created_at, k0, k1 LIMIT 1) AS key,
    reinterpretAsUInt128(sipHash128ReferenceKeyed(key, concat(org, '\0', user_id))) AS keyed
SELECT asked.id, said.org, 'spoke', said.user, said.rollup_user, said.conversation_id, asked.until
FROM
(
    SELECT
        org,
        conversation_id,
        keyed AS user,
        reinterpretAsUInt128(sipHash128(user_id)) AS rollup_user,
        toUnixTimestamp64Milli(min(time)) AS first
    FROM ${db}.messages
    WHERE (${among}) AND user_id != '' AND (org, keyed) IN (SELECT org, user FROM ${requests} WHERE of = '${of}')
    GROUP BY org, conversation_id, user_id
) AS said
INNER JOIN
(
    SELECT org, user, max(id) AS id, max(erased_at) AS until
    FROM ${requests}
    INNER JOIN ${erasures} USING (org, user)
    WHERE of = '${of}'
    GROUP BY org, user
) AS asked ON asked.org = said.org AND asked.user = said.user
WHERE said.first <= asked.until
