AND conversation_id IN (
    SELECT conversation_id
    FROM conversation_days
    WHERE org = {org:String} AND day >= toDate({first_day:UInt16}) AND day <= toDate({last_day:UInt16})
)
