SELECT user, registered_at, first_message_at
FROM users
WHERE org = {org:String}
    AND NOT has({known:Array(String)}, _part)
    AND throwIf(toString(serverUUID()) != {server:String}, 'another server lists the parts') = 0
