SELECT
    conversation_id,
    toUnixTimestamp64Milli(min(time)) AS inserted_at,
    uniqExactIf(message_id, role IN ('user', 'assistant')) AS message_count
FROM messages
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
