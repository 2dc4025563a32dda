SELECT conversation_id
FROM conversations
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128)) AND first_day < {since_day:UInt16}
