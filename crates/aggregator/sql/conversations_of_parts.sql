SELECT conversation_id, _part AS part, toInt64(bitShiftRight(min(first), 128)) AS began_at
FROM conversations
WHERE org = {org:String} AND ${listed} AND ${same_parts} AND conversation_id IN
(
    SELECT conversation_id
    FROM conversations
    WHERE org = {org:String} AND ${listed} AND NOT has({known:Array(String)}, _part)
)
GROUP BY conversation_id, part
LIMIT {limit:UInt64}
