SELECT id
FROM cluster('rollcall', view(SELECT toString(id) AS id, created_at FROM {db:Identifier}.database_ids))
ORDER BY created_at, id
LIMIT 1
