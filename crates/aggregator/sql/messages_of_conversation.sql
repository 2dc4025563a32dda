SELECT
    message_id,
    toUnixTimestamp64Milli(latest.time) AS created_at,
    latest.content AS content,
    toString(latest.role) AS role,
    latest.user_id AS user_id,
    latest.mentor_id AS mentor_id,
    toString(latest.model) AS model
FROM
(
    -- Of several records of a message the latest is shown.
    SELECT message_id, max(tuple(time, content, role, user_id, mentor_id, model)) AS latest
    FROM {db:Identifier}.{messages:Identifier}
    WHERE org = {org:String} AND conversation_id = {conversation:UInt128} AND message_id IN CAST(? AS Array(UInt128))
    GROUP BY message_id
)
ORDER BY created_at, message_id
SETTINGS enable_named_columns_in_function_tuple = 1
