SELECT
    conversation_id,
    max(latest).user_sentiment AS user_sentiment,
    max(latest).topics AS topics,
    hasAny(arrayMap(key -> caseFoldUTF8(key), max(latest).topic_keys), {topics:Array(String)}) AS has_topic
FROM {db:Identifier}.{annotations:Identifier}
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
