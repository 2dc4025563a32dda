SELECT period, user
FROM ${table}
WHERE org = {org:String}
    AND mentor_id = {mentor:String}
    AND period >= toDateTime({since:Int64}, 'UTC')
    AND period < toDateTime({until:Int64}, 'UTC')
    AND NOT has({known:Array(String)}, _part)
    AND ${same_parts}
