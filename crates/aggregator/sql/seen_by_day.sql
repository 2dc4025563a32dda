SELECT conversation_id
FROM {db:Identifier}.conversations_by_day
WHERE org = {org:String} AND mentor_id = {mentor:String}
    AND day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16}) AND first_at >= {since:Int64}
