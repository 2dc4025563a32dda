SELECT conversation_id
FROM conversation_topics
WHERE org = {org:String} AND topic IN {topics:Array(String)}
