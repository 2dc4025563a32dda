SELECT
    conversation_id,
    has({known:Array(String)}, _part) AS known,
    toInt64(bitShiftRight(min(first), 128)) AS began_at,
    ${unlisted}
FROM conversations
WHERE org = {org:String} AND ${listed} AND ${same_parts} AND conversation_id IN
(
    SELECT conversation_id
    FROM conversations
    WHERE org = {org:String} AND ${listed} AND NOT has({known:Array(String)}, _part)
)
GROUP BY conversation_id, known
LIMIT {limit:UInt64}
