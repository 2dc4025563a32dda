(
    SELECT throwIf(count() != 1, 'the parts are those of another server or table')
    FROM system.tables
    WHERE database = currentDatabase()
        AND name = {table:String}
        AND toString(uuid) = {uuid:String}
        AND toString(serverUUID()) = {server:String}
) = 0
