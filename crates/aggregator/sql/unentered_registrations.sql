SELECT org, user, min(given) AS registered_at
FROM
(
    WITH arrayJoin(arrayZip(${orgs}, ${user_ids}, ${registered_at})) AS registration
    SELECT
        registration.1 AS org,
        reinterpretAsUInt128(sipHash128(registration.2)) AS user,
        registration.3 AS given,
        9223372036854775807 AS entered
    UNION ALL
    SELECT toString(org) AS org, user, 9223372036854775807 AS given, registered_at AS entered
    FROM ${entered}
)
GROUP BY org, user
HAVING min(given) < min(entered)
