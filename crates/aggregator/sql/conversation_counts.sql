SELECT
    conversation_id,
    toUnixTimestamp64Milli(min(first).1) AS inserted_at,
    length(groupUniqArrayArray(counted)) AS message_count
FROM conversations
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
