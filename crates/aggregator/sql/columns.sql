SELECT name, type, is_in_sorting_key = 1 AS is_key
FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind != 'MATERIALIZED'
ORDER BY position
