SELECT
    toString(mentor_id) AS mentor_id,
    start AS period,
    toDateTime(transform(toUnixTimestamp(start), ${starts}, ${untils}, 0), 'UTC') AS until,
    sum(active_users) AS users,
    CAST(arraySort(groupArrayIf((day, active_users), active_users > 0)) AS Array(Tuple(day UInt16, users UInt32))) AS by_day,
    sum(registered_users) AS registered,
    transform(toUnixTimestamp(start), ${starts}, ${marks}, toUInt64(0)) AS seen
FROM
(
    SELECT mentor_id, start, day, sum(active_users) AS active_users, sum(registered_users) AS registered_users
    FROM cluster('rollcall', view(
        SELECT mentor_id, start, day, count() AS active_users, 0 AS registered_users
        FROM (${active}) AS active
        INNER JOIN
        (
            SELECT user, toUInt16(intDiv(registered, 86400000)) AS day
            FROM (${registered_of_active})
        ) AS known USING user
        GROUP BY mentor_id, start, day
        UNION ALL
        SELECT '' AS mentor_id, ${start_of_registered} AS start, 0 AS day, 0 AS active_users, count() AS registered_users
        FROM (${registered_within})
        WHERE ${within}
        GROUP BY start
    ))
    GROUP BY mentor_id, start, day
    UNION ALL
    -- So that a period in which nobody was active is observed, too.
    SELECT '' AS mentor_id, toDateTime(arrayJoin(${starts}), 'UTC') AS start, 0 AS day, 0 AS active_users, 0 AS registered_users
)
GROUP BY mentor_id, start
HAVING mentor_id = '' OR users >= {least:UInt64}
