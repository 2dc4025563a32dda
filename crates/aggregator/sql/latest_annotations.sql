SELECT
    conversation_id,
    max(latest).user_sentiment AS user_sentiment,
    max(latest).topics AS topics
FROM latest_annotations
WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
GROUP BY conversation_id
