SELECT min(least(registered_at, first_message_at)) AS earliest
FROM users
WHERE org = {org:String} AND user IN (SELECT user FROM (${unentered}))
HAVING count() > 0
