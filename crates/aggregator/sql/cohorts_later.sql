SELECT
    count() AS users,
    countIf(registered < {since:Int64}) AS veterans,
    countIf(registered >= {since:Int64} AND registered < {until:Int64}) AS new_users
FROM (${registered})
