SELECT message_id, max(content.size) AS bytes
FROM {db:Identifier}.{messages:Identifier}
WHERE org = {org:String} AND conversation_id = {conversation:UInt128}
GROUP BY message_id
ORDER BY max(time), message_id
