SELECT mentor_id, hours, period, conversations, seen
FROM observed_conversations
WHERE org = {org:String}
ORDER BY hours, period
