SELECT
    user,
    if(min(registered_at) = 9223372036854775807, min(first_message_at), min(registered_at)) AS registered
FROM {db:Identifier}.users
WHERE org = {org:String} AND ${condition}
GROUP BY user
