SELECT ${bucket} AS bucket, count() AS users
FROM (${registered})
WHERE ${within}
GROUP BY bucket
