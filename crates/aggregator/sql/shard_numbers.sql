SELECT DISTINCT shard_num
FROM system.clusters
WHERE cluster = {cluster:String}
ORDER BY shard_num
