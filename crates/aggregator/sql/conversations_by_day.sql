SELECT part, day, sum(conversations) AS conversations
FROM
(
    -- As they lie: right for all that lie in one part.
    SELECT ${part} AS part, first_day AS day, toInt64(count()) AS conversations
    FROM conversations
    WHERE org = {org:String} AND ${listed}
    GROUP BY part, day
    UNION ALL
    -- Of those that lie in several, all but the earliest are taken off. A few others that share a short hash with them lie
    -- in one part and change nothing, and to look for the hash takes half as long as to look for the id.
    SELECT '' AS part, arrayJoin(arrayPopFront(arraySort(groupArray(first_day)))) AS day, toInt64(-1) AS conversations
    FROM conversations
    WHERE org = {org:String} AND ${listed} AND toUInt32(cityHash64(conversation_id)) IN
    (
        SELECT toUInt32(cityHash64(conversation_id))
        FROM conversations
        WHERE org = {org:String} AND ${listed} AND _part !=
        (
            SELECT argMax(name, rows)
            FROM system.parts
            WHERE active AND database = currentDatabase() AND table = 'conversations'
        )
    )
    GROUP BY conversation_id
)
GROUP BY part, day
