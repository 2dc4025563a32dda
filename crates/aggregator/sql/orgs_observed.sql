SELECT DISTINCT toString(org)
FROM cluster('rollcall', view(SELECT DISTINCT org FROM {db:Identifier}.${table}))
