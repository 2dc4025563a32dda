SELECT
    conversation_id,
    min(first) AS began,
    groupUniqArrayArray(mentors) AS all_mentors
FROM conversations
WHERE org = {org:String} ${where}
GROUP BY conversation_id
HAVING began.1 >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND began.1 < fromUnixTimestamp64Milli({until:Int64}, 'UTC') ${having}
