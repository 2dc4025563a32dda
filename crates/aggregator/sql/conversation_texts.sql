SELECT
    conversation_id,
    countIf(role = 'user') > 0 AS has_user_message,
    argMinIf((content, user_id), (time, message_id, content, user_id, mentor_id, model), role = 'user') AS first_user,
    argMin(user_id, (time, message_id, content, user_id, mentor_id, model, role)) AS first_user_id,
    argMaxIf(model, (time, message_id, content, user_id, mentor_id, model), role = 'assistant' AND model != '') AS last_model
FROM messages
WHERE org = {org:String} AND (conversation_id, time, message_id) IN (
    SELECT conversation_id, key.1, key.2
    FROM
    (
        SELECT conversation_id, arrayJoin([min(first), min(first_user), max(last_model)]) AS key
        FROM conversations
        WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
        GROUP BY conversation_id
    )
)
GROUP BY conversation_id
