SELECT toUInt16(day)
FROM cluster('rollcall', view(
    SELECT day
    FROM {db:Identifier}.conversations_by_day
    WHERE org = {org:String} AND mentor_id = ''
    ORDER BY day
    LIMIT 1
))
ORDER BY day
LIMIT 1
