SELECT day, sum(conversations) AS conversations, ${unlisted}
FROM
(
    -- By rows: right for all conversations whose rows are in one part.
    SELECT first_day AS day, toInt64(count()) AS conversations
    FROM conversations
    WHERE org = {org:String} AND ${among}
    GROUP BY day
    UNION ALL
    -- Of those in several parts, all rows but the earliest are subtracted. A few others that share a short hash with them
    -- are in one part and change nothing, and to search by the hash takes half as long as by the id.
    SELECT arrayJoin(arrayPopFront(arraySort(groupArray(first_day)))) AS day, toInt64(-1) AS conversations
    FROM conversations
    WHERE org = {org:String} AND ${among} AND toUInt32(cityHash64(conversation_id)) IN
    (
        SELECT toUInt32(cityHash64(conversation_id))
        FROM conversations
        WHERE org = {org:String} AND ${among} AND _part !=
        (
            SELECT argMax(name, rows)
            FROM system.parts
            WHERE active AND database = currentDatabase() AND table = 'conversations'
        )
    )
    GROUP BY conversation_id
)
GROUP BY day
SETTINGS
    -- All reads must see the same parts.
    enable_shared_storage_snapshot_in_query = 1,
    -- Most may be in several parts, where many merges are due: they are grouped in order, without a hash table.
    optimize_aggregation_in_order = 1
