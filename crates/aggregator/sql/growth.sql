SELECT shard, sum(ever) AS ever, sum(recent) AS recent, min(first_day) AS first_day
FROM cluster('rollcall', view(
    SELECT ${shard} AS shard, count() AS ever, 0 AS recent, if(ever = 0, 65535, toUInt16(min(day))) AS first_day
    FROM {db:Identifier}.conversations_by_day
    WHERE mentor_id = ''
    UNION ALL
    -- A conversation of which several batches came is there several times until they are merged.
    SELECT ${shard} AS shard, 0 AS ever, uniq(org, day, conversation_id) AS recent, 65535 AS first_day
    FROM {db:Identifier}.conversations_by_day
    WHERE mentor_id = '' AND day >= toDate({since:UInt16}) AND day < toDate({until:UInt16})
))
GROUP BY shard
