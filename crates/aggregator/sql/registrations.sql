SELECT bucket, sum(users) AS users
FROM cluster('rollcall', view(
    SELECT ${bucket} AS bucket, count() AS users
    FROM (${registered})
    WHERE ${within}
    GROUP BY bucket
))
GROUP BY bucket
