SELECT ${bucket} AS bucket, ${users_of_bucket} AS users, ${scattered} AS scattered
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
