SELECT
    ${bucket} AS bucket,
    ${users_if}(user IN (
        SELECT user FROM (${registered}) WHERE registered >= {since:Int64} AND registered < {until:Int64}
    )) AS users,
    ${scattered} AS scattered
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
