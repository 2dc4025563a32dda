SELECT conversation_id
FROM messages
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
HAVING toDate(min(time), 'UTC') < toDate({since_day:UInt16})
