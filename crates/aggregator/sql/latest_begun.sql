SELECT
    conversation_id,
    toInt64(bitShiftRight(min(first), 128)) AS began_at,
    groupUniqArray(_part) AS parts
FROM conversations
WHERE org = {org:String} AND ${listed} AND ${same_parts} AND conversation_id IN
(
    SELECT conversation_id
    FROM conversations
    WHERE org = {org:String} AND ${listed} AND first_day >= {since_day:UInt16}
)
GROUP BY conversation_id
ORDER BY began_at DESC, conversation_id
LIMIT {limit:UInt64}
