-- Those that rows of ours lie on.
SELECT shard, free, total
FROM cluster('rollcall', view(
    SELECT ${shard} AS shard, free_space AS free, total_space AS total
    FROM system.disks
    WHERE name IN (SELECT disk_name FROM system.parts WHERE active AND database = {db:String})
))
