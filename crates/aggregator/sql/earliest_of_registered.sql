SELECT org, min(earliest) AS earliest
FROM cluster('rollcall', view(
    SELECT org, min(least(registered_at, first_message_at)) AS earliest
    FROM {db:Identifier}.users
    -- What another shard has entered is not known here, but neither are its users.
    WHERE (org, user) IN (SELECT org, user FROM (${unentered}))
    GROUP BY org
))
GROUP BY org
