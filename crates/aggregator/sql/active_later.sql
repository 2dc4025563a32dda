SELECT count() AS users, toUInt64(0) AS veterans, toUInt64(0) AS new_users
FROM (${newcomers})
