-- The latest by their rows: a conversation began no later than any of its rows says, so none that began after the earliest of
-- these rows is missing, and what began before it may stand behind others that are.
WITH latest AS
(
    SELECT conversation_id, toInt64(bitShiftRight(first, 128)) AS at
    FROM conversations
    WHERE org = {org:String} AND ${listed} AND first_day >= {since_day:UInt16}
    ORDER BY at DESC
    LIMIT {rows:UInt64}
)
SELECT
    conversation_id,
    toInt64(bitShiftRight(min(first), 128)) AS began_at,
    ${unlisted}
FROM conversations
WHERE org = {org:String} AND ${listed} AND ${same_parts} AND conversation_id IN (SELECT conversation_id FROM latest)
GROUP BY conversation_id
HAVING began_at > (SELECT if(count() < {rows:UInt64}, -1, min(at)) FROM latest)
ORDER BY began_at DESC, conversation_id
LIMIT {limit:UInt64}
