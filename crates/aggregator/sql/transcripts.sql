SELECT conversation_id, min(first) AS began
FROM conversation_days
WHERE org = {org:String} ${where}
GROUP BY conversation_id
