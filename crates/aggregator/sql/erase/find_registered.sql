-- The registrations of those who are to be forgotten.
INSERT INTO ${requests} (id, org, of, user, rollup_user, conversation_id, until)
WITH
    (SELECT (k0, k1) FROM ${keys} ORDER BY created_at, k0, k1 LIMIT 1) AS key,
    reinterpretAsUInt128(sipHash128ReferenceKeyed(key, concat(org, '\0', user_id))) AS keyed
SELECT asked.id, registered.org, 'registered', registered.user, registered.rollup_user, 0, asked.until
FROM
(
    SELECT
        org,
        keyed AS user,
        reinterpretAsUInt128(sipHash128(user_id)) AS rollup_user,
        min(registered_at) AS first
    FROM ${db}.registrations
    WHERE (org, keyed) IN (SELECT org, user FROM ${requests} WHERE of IN ('user', 'registrations'))
    GROUP BY org, user_id
) AS registered
INNER JOIN
(
    SELECT org, user, max(id) AS id, max(erased_at) AS until
    FROM ${requests}
    INNER JOIN ${erasures} USING (org, user)
    WHERE of IN ('user', 'registrations')
    GROUP BY org, user
) AS asked ON asked.org = registered.org AND asked.user = registered.user
WHERE registered.first <= asked.until
