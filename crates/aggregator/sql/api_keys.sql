SELECT
    hash,
    max(name) AS name,
    max(orgs) AS orgs,
    max(created_at) AS created_at,
    max(expires_at) AS expires_at,
    max(revoked_at) AS revoked_at,
    toUnixTimestamp64Milli(now64(3)) AS now
FROM {db:Identifier}.{keys:Identifier}
GROUP BY hash
ORDER BY created_at, hash
