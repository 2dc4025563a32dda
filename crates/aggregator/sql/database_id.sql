SELECT toString(id)
FROM database_ids
ORDER BY created_at, id
LIMIT 1
