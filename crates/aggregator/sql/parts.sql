SELECT
    toString(serverUUID()) AS server,
    table,
    extract(path, '/store/[0-9a-f]+/([0-9a-f-]+)/') AS uuid,
    name,
    hash_of_all_files AS hash,
    rows,
    min_block_number AS first_block,
    max_block_number AS last_block,
    data_version AS version
FROM system.parts
WHERE active AND database = currentDatabase() AND table IN {tables:Array(String)} AND uuid != ''
