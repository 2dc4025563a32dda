SELECT conversation_id, max(content.size) AS bytes
FROM messages
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
