SELECT hash, max(last_used_at) AS last_used_at
FROM {db:Identifier}.{uses:Identifier}
GROUP BY hash
