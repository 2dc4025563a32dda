SELECT bucket, sum(users) AS users
FROM cluster('rollcall', view(
    SELECT ${bucket} AS bucket, count() AS users
    FROM (${registered})
    WHERE ${within}
    GROUP BY bucket
))
GROUP BY bucket
SETTINGS
    -- Of more users some are in every granule.
    use_index_for_in_with_subqueries_max_values = 1000
