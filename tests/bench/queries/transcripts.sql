SELECT
    conversation_id,
    uniqExactIf(message_id, role IN ('user', 'assistant')) AS message_count,
    min(time) AS inserted_at,
    argMinIf(content, (time, message_id), role = 'user') AS first_message,
    if(countIf(role = 'user') > 0, argMinIf(user_id, (time, message_id), role = 'user'), argMin(user_id, (time, message_id))) AS user,
    argMin(mentor_id, (time, message_id)) AS mentor,
    argMaxIf(model, (time, message_id), role = 'assistant' AND model != '') AS last_model
FROM messages
WHERE org = '${org}'
GROUP BY conversation_id
HAVING inserted_at >= fromUnixTimestamp64Milli(${since}, 'UTC')
    AND inserted_at < fromUnixTimestamp64Milli(${until}, 'UTC')
    ${mentor}
ORDER BY inserted_at DESC, conversation_id
LIMIT 100
