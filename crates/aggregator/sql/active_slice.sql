SELECT ${bucket} AS bucket, ${users} AS users, ${veterans} AS veterans, ${new_users} AS new_users
FROM {db:Identifier}.${table}
WHERE org = {org:String} AND mentor_id = {mentor:String} AND (${within})
GROUP BY bucket
