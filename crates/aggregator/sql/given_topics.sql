SELECT conversation_id
FROM {db:Identifier}.conversation_topics
WHERE org = {org:String} AND topic IN {topics:Array(String)}
