AND day >= toDate({first_day:UInt16})
AND conversation_id NOT IN (
    SELECT conversation_id
    FROM conversation_days
    WHERE org = {org:String} AND day < toDate({first_day:UInt16}) ${among}
)
