SELECT toUInt16(day)
FROM conversations_by_day
WHERE org = {org:String} AND mentor_id = ''
ORDER BY day
LIMIT 1
