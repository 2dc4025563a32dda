SELECT shard, version
FROM cluster('rollcall', view(
    SELECT ${shard} AS shard, version() AS version
    FROM system.one
))
