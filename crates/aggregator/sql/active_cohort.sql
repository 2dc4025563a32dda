SELECT
    ${bucket} AS bucket,
    ${users_if}(user IN (
        SELECT user FROM (${registered}) WHERE registered >= {since:Int64} AND registered < {until:Int64}
    )) AS users,
    ${spans_parts} AS spans_parts
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
