SELECT DISTINCT conversation_id
FROM ${table}
WHERE org = {org:String} AND NOT has({known:Array(String)}, _part) AND ${same_parts}
LIMIT {limit:UInt64}
