-- Conversations in which nobody spoke but one who is forgotten, as far as others are not forgotten too.
INSERT INTO ${requests} (id, org, of, user, rollup_user, conversation_id, until)
WITH
    (SELECT (k0, k1) FROM ${keys} ORDER BY created_at, k0, k1 LIMIT 1) AS key,
    reinterpretAsUInt128(sipHash128ReferenceKeyed(key, concat(org, '\0', user_id))) AS keyed
SELECT max(found.id), spoke.org, 'alone', 0, 0, spoke.conversation_id, max(spoke.erased_at)
FROM ${db}.erased_conversations AS spoke
INNER JOIN
(
    SELECT org, conversation_id, max(id) AS id
    FROM ${requests}
    WHERE of = 'spoke' OR of = 'conversation' AND user != 0
    GROUP BY org, conversation_id
) AS found ON found.org = spoke.org AND found.conversation_id = spoke.conversation_id
LEFT JOIN
(
    SELECT said.org AS org, said.conversation_id AS conversation_id, groupUniqArray(said.user) AS users
    FROM
    (
        SELECT org, conversation_id, keyed AS user, toUnixTimestamp64Milli(max(time)) AS last
        FROM ${db}.messages
        WHERE user_id != '' AND (org, conversation_id) IN (SELECT org, conversation_id FROM ${requests} WHERE of IN ('spoke', 'conversation'))
        GROUP BY org, conversation_id, user_id
    ) AS said
    LEFT JOIN (SELECT org, user, max(erased_at) AS until FROM ${erasures} GROUP BY org, user) AS erased
        ON erased.org = said.org AND erased.user = said.user
    WHERE said.last > erased.until
    GROUP BY org, conversation_id
) AS remaining ON remaining.org = spoke.org AND remaining.conversation_id = spoke.conversation_id
WHERE spoke.user != 0 AND arrayAll(user -> user = spoke.user, remaining.users)
GROUP BY spoke.org, spoke.conversation_id
