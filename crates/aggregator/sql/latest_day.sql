SELECT toUInt16(max(day))
FROM conversation_days
WHERE org = {org:String} AND day <= toDate({last_day:UInt16})
