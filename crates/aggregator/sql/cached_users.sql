SELECT user, registered_at, first_message_at
FROM users
WHERE org = {org:String}
    AND NOT has({known:Array(String)}, _part)
    AND ${same_parts}
