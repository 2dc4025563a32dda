SELECT toDate(time, 'UTC') AS day, uniqExact(user_id) AS users
FROM messages
WHERE org = '${org}'
    AND time >= fromUnixTimestamp64Milli(${since}, 'UTC')
    AND time < fromUnixTimestamp64Milli(${until}, 'UTC')
    AND role = 'user'
    AND user_id != ''
GROUP BY day
ORDER BY day
