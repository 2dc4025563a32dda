SELECT ${bucket} AS bucket, uniqExact(user) AS users
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
