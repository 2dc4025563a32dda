SELECT
    ${bucket} AS bucket,
    uniqExactIf(user, user IN (
        SELECT user FROM (${registered}) WHERE registered >= {since:Int64} AND registered < {until:Int64}
    )) AS users
FROM ${table}
WHERE ${slice}
GROUP BY ${group}
