SELECT toUInt64(sum(conversations))
FROM
(
    -- As they lie: right for all that lie in one part.
    SELECT toInt64(count()) AS conversations
    FROM conversations
    WHERE org = {org:String} AND first_day >= {first_day:UInt16} AND first_day <= {last_day:UInt16}
    UNION ALL
    -- Of those that may lie in several: as they are merged, instead of as they lie. A few others that share a short hash
    -- with them change nothing, and to look for the hash takes half as long as to look for the id.
    SELECT
        toInt64(min(first_day) >= {first_day:UInt16} AND min(first_day) <= {last_day:UInt16})
            - toInt64(countIf(first_day >= {first_day:UInt16} AND first_day <= {last_day:UInt16}))
    FROM conversations
    WHERE org = {org:String} AND toUInt32(cityHash64(conversation_id)) IN
    (
        SELECT toUInt32(cityHash64(conversation_id))
        FROM conversations
        WHERE org = {org:String} AND _part !=
        (
            SELECT argMax(name, rows)
            FROM system.parts
            WHERE active AND database = currentDatabase() AND table = 'conversations'
        )
    )
    GROUP BY conversation_id
)
