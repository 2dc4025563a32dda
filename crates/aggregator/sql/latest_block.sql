SELECT toUInt64(max(max_block_number))
FROM system.parts
WHERE database = currentDatabase() AND table = {table:String}
