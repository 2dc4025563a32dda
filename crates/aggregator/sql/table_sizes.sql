SELECT shard, held_by AS name, rows_held AS rows, bytes, parts
FROM cluster('rollcall', view(
    SELECT ${shard} AS shard, table AS held_by, sum(rows) AS rows_held, sum(bytes_on_disk) AS bytes, count() AS parts
    FROM system.parts
    WHERE active AND database = {db:String}
    GROUP BY held_by
))
