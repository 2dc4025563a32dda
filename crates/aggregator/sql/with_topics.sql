SELECT conversation_id
FROM {db:Identifier}.latest_annotations
WHERE org = {org:String} AND ${condition}
GROUP BY conversation_id
HAVING hasAny(arrayMap(key -> caseFoldUTF8(key), max(latest).topic_keys), {topics:Array(String)})
