SELECT org, min(least(registered_at, first_message_at)) AS earliest
FROM users
WHERE (org, user) IN (SELECT org, user FROM (${unentered}))
GROUP BY org
