SELECT ${bucket} AS bucket, ${users_of_bucket} AS users, ${spans_parts} AS spans_parts
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
