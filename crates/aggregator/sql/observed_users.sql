SELECT period, until, users, ${veterans} AS veterans, ${new_users} AS new_users, registered, seen
FROM {db:Identifier}.{observed:Identifier}
WHERE org = {org:String} AND mentor_id = {mentor:String} AND grain = {grain:String}
    AND period >= toDateTime({since:Int64}, 'UTC') AND period < toDateTime({until:Int64}, 'UTC')
