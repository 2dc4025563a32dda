SELECT k0, k1 FROM {db:Identifier}.{keys:Identifier} ORDER BY created_at, k0, k1 LIMIT 1
