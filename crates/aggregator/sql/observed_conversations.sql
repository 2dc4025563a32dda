SELECT mentor_id, hours, period, conversations, seen
FROM observed_conversations
WHERE org = {org:String} AND mentor_id IN ('', {mentor:String})
ORDER BY period
