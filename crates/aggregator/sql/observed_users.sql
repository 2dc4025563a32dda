SELECT period, until, users, veterans, new_users, registered, seen
FROM cluster('rollcall', view(
    SELECT period, until, users, ${veterans} AS veterans, ${new_users} AS new_users, registered, seen
    FROM {db:Identifier}.observed_users
    WHERE org = {org:String} AND mentor_id = {mentor:String} AND grain = {grain:String}
        AND period >= toDateTime({since:Int64}, 'UTC') AND period < toDateTime({until:Int64}, 'UTC')
    UNION ALL
    SELECT since, toDateTime(0, 'UTC'), 0, 0, 0, 0, hash FROM (${entered})
))
