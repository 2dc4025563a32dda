SELECT
    bucket,
    uniqExactIf(user, user IN (
        SELECT user FROM (${registered}) WHERE registered >= {since:Int64} AND registered < {until:Int64}
    )) AS users
FROM (${activity})
GROUP BY bucket
