SELECT day
FROM {db:Identifier}.conversations_by_day
WHERE org = {org:String} AND mentor_id = {mentor:String}
    AND day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})
ORDER BY day DESC
LIMIT 1
