SELECT toUInt16(day)
FROM conversation_days
WHERE org = {org:String} AND day >= toDate({since_day:UInt16}) AND day <= toDate({last_day:UInt16})
ORDER BY day DESC
LIMIT 1
