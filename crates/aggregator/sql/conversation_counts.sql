SELECT
    conversation_id,
    toInt64(bitShiftRight(min(first), 128)) AS inserted_at,
    length(groupUniqArrayArray(counted)) AS message_count
FROM conversations
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
