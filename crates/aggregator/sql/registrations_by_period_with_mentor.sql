SELECT ${registered_bucket} AS bucket, count() AS users, 0 AS spans_parts
FROM (${registered})
WHERE registered >= {since:Int64} AND registered < {until:Int64}
    AND user IN (${users})
GROUP BY bucket
