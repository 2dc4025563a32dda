assumeNotNull((
    SELECT count()
    FROM ${table}
    WHERE ${listed} AND _part_offset = 0 AND NOT has({parts:Array(String)}, _part)
)) AS unlisted
