SELECT sum(users) AS users, sum(veterans) AS veterans, sum(new_users) AS new_users
FROM cluster('rollcall', view(
    SELECT
        count() AS users,
        countIf(registered < {since:Int64}) AS veterans,
        countIf(registered >= {since:Int64} AND registered < {until:Int64}) AS new_users
    FROM (${registered})
))
SETTINGS
    -- Of more users some are in every granule.
    use_index_for_in_with_subqueries_max_values = 1000
