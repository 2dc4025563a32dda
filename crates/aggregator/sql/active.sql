-- No period is in two slices, and no user on two shards.
SELECT bucket, sum(users) AS users, sum(veterans) AS veterans, sum(new_users) AS new_users
FROM cluster('rollcall', view(${slices}))
GROUP BY bucket
