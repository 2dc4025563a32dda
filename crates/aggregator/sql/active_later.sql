SELECT sum(users) AS users, toUInt64(0) AS veterans, toUInt64(0) AS new_users
FROM cluster('rollcall', view(SELECT count() AS users FROM (${newcomers})))
