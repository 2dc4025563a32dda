SELECT conversation_id
FROM conversation_days
WHERE org = {org:String} AND day >= toDate({since_day:UInt16}) AND day <= toDate({last_day:UInt16})
GROUP BY conversation_id
ORDER BY bitShiftRight(min(first), 128) DESC, conversation_id
LIMIT {limit:UInt64}
