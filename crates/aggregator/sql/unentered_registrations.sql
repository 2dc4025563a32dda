SELECT user, min(given) AS registered_at
FROM
(
    WITH arrayJoin(arrayZip(${user_ids}, ${registered_at})) AS registration
    SELECT reinterpretAsUInt128(sipHash128(registration.1)) AS user, registration.2 AS given, 9223372036854775807 AS entered
    UNION ALL
    SELECT user, 9223372036854775807 AS given, registered_at AS entered
    FROM entered_registrations
    WHERE org = {org:String} AND user IN (SELECT reinterpretAsUInt128(sipHash128(arrayJoin(${user_ids}))))
)
GROUP BY user
HAVING min(given) < min(entered)
