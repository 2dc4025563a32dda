SELECT
    conversation_id,
    countIf(role = 'user') > 0 AS has_user_message,
    argMinIf((content, user_id), (time, message_id, content, user_id, mentor_id, model), role = 'user') AS first_user,
    argMin(user_id, (time, message_id, content, user_id, mentor_id, model, role)) AS first_user_id,
    argMaxIf(model, (time, message_id, content, user_id, mentor_id, model), role = 'assistant' AND model != '') AS last_model
FROM messages
WHERE org = {org:String} AND (conversation_id, time, message_id) IN (
    SELECT
        conversation_id,
        fromUnixTimestamp64Milli(toInt64(bitShiftRight(place, 128)), 'UTC'),
        toUInt128(place)
    FROM
    (
        SELECT conversation_id, arrayJoin([min(first), min(first_user), max(last_model)]) AS place
        FROM conversations
        WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
        GROUP BY conversation_id
    )
    WHERE place NOT IN (0, bitNot(toUInt256(0)))
)
GROUP BY conversation_id
