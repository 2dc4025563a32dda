SELECT ${bucket} AS bucket, ${users_of_bucket} AS users
FROM ${table}
WHERE ${slice}
GROUP BY bucket
