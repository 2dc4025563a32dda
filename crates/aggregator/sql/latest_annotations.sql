SELECT
    conversation_id,
    toInt64(0) AS inserted_at,
    toUInt64(0) AS message_count,
    false AS has_user_message,
    ('', '') AS first_user,
    ('', '') AS first,
    '' AS last_model,
    true AS is_annotation,
    max(latest).user_sentiment AS user_sentiment,
    max(latest).topics AS topics,
    hasAny(arrayMap(key -> caseFoldUTF8(key), max(latest).topic_keys), {topics:Array(String)}) AS has_topic
FROM {db:Identifier}.latest_annotations
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
