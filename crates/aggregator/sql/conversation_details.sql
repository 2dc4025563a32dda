SELECT
    conversation_id,
    toUnixTimestamp64Milli(min(time)) AS inserted_at,
    uniqExactIf(message_id, role IN ('user', 'assistant')) AS message_count,
    countIf(role = 'user') > 0 AS has_user_message,
    argMinIf((content, user_id), (time, message_id, content, user_id, mentor_id, model), role = 'user') AS first_user,
    argMin((user_id, mentor_id), (time, message_id, content, user_id, mentor_id, model, role)) AS first,
    argMaxIf(model, (time, message_id, content, user_id, mentor_id, model), role = 'assistant' AND model != '') AS last_model
FROM {db:Identifier}.{messages:Identifier}
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
SETTINGS
    -- Each conversation is in another granule: both cores read, however few the rows.
    merge_tree_min_rows_for_concurrent_read = 1024
