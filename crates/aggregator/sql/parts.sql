SELECT
    toString(serverUUID()) AS server,
    table,
    substring(path, 1, length(path) - length(name) - 1) AS home,
    name,
    min_block_number AS first_block,
    max_block_number AS last_block,
    if(data_version = toUInt64(min_block_number), 0, toInt64(data_version)) AS mutation
FROM system.parts
WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)}
