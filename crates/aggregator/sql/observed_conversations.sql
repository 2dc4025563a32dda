SELECT value, hours, period, conversations, seen
FROM cluster('rollcall', view(
    SELECT value, hours, period, conversations, seen
    FROM {db:Identifier}.observed_conversations
    WHERE org = {org:String} AND by = {by:String} AND value IN ('', {value:String})
    UNION ALL
    SELECT '', 0, since, 0, hash FROM (${entered})
))
ORDER BY period
