SELECT bucket, uniqExact(user) AS users
FROM (${activity})
GROUP BY bucket
