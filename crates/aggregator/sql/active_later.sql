SELECT uniqExact(user) AS users, toUInt64(0) AS veterans, toUInt64(0) AS new_users
FROM (${later})
WHERE user NOT IN (${earlier})
