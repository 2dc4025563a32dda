-- As a Distributed table chooses: a shard of weight 2 has two slots.
SELECT arrayFlatten(groupArray(arrayWithConstant(shard_weight, shard_num)))
FROM
(
    SELECT DISTINCT shard_num, shard_weight
    FROM system.clusters
    WHERE cluster = {cluster:String}
    ORDER BY shard_num
)
