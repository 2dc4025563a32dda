WITH
    known AS
    (
        SELECT user_id, if(countIf(registers) > 0, minIf(at, registers), min(at)) AS registered
        FROM
        (
            SELECT user_id, registered_at AS at, true AS registers
            FROM registrations
            WHERE org = '${org}'
            UNION ALL
            SELECT user_id, toUnixTimestamp64Milli(time) AS at, false AS registers
            FROM messages
            WHERE org = '${org}' AND role = 'user' AND user_id != ''
        )
        GROUP BY user_id
    ),
    active AS
    (
        SELECT toDate(time, 'UTC') AS day, user_id
        FROM messages
        WHERE org = '${org}'
            AND time >= fromUnixTimestamp64Milli(${since}, 'UTC')
            AND time < fromUnixTimestamp64Milli(${until}, 'UTC')
            AND role = 'user'
            AND user_id != ''
            ${mentor}
    )
SELECT day, sum(new_users), sum(veteran_users)
FROM
(
    SELECT toDate(fromUnixTimestamp64Milli(registered, 'UTC'), 'UTC') AS day, count() AS new_users, 0 AS veteran_users
    FROM known
    WHERE registered >= ${since} AND registered < ${until} ${among_active}
    GROUP BY day
    UNION ALL
    SELECT day, 0 AS new_users, uniqExact(user_id) AS veteran_users
    FROM active
    WHERE user_id IN (SELECT user_id FROM known WHERE registered < ${since})
    GROUP BY day
)
GROUP BY day
ORDER BY day
